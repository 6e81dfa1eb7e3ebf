package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/process"
)

// resources are what a node holds on to while nobody uses it.
type resources struct {
	Node string `json:"node"`
	// Goroutines and Files, those of the log left out, were open before the run and after it.
	Goroutines [2]int `json:"goroutines"`
	Files      [2]int `json:"files"`
}

const (
	// slack is what may be more after a run: connections to peers that were made anew and connections of the harness come and go.
	slackGoroutines, slackFiles = 40, 20
	// settling bounds the wait until a node has noticed that its clients are gone.
	settling = 15 * time.Second
)

func (r resources) leaks() bool {
	return r.Goroutines[1] > r.Goroutines[0]+slackGoroutines || r.Files[1] > r.Files[0]+slackFiles
}

// hold asks every node; one that does not answer holds nothing.
func hold(ctx context.Context, c *process.Cluster) (out []resources) {
	for _, n := range c.Nodes() {
		r := resources{Node: n.Name()}
		r.Goroutines[0], r.Files[0] = held(ctx, n)
		out = append(out, r)
	}
	return out
}

func held(ctx context.Context, n *process.Node) (goroutines, files int) {
	m, err := n.Metrics(ctx)
	if err != nil {
		return 0, 0
	}
	return int(m["go_goroutines"]), int(m["process_open_fds"]) - segments(n.Pid())
}

// segments counts the log's files among a process's open ones: there are as many as there is log to keep, which is no leak. Where
// /proc does not tell, it is 0.
func segments(pid int) (count int) {
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // the pattern is good
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil && filepath.Ext(target) == ".wal" {
			count++
		}
	}
	return count
}

// holdAgain asks again until every node has let go, or for as long as that may take.
func holdAgain(ctx context.Context, c *process.Cluster, before []resources) []resources {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	out := append([]resources(nil), before...)
	for {
		leaks := false
		for i, n := range c.Nodes() {
			if g, f := held(ctx, n); g > 0 {
				out[i].Goroutines[1], out[i].Files[1] = g, f
			}
			leaks = leaks || out[i].leaks()
		}
		if !leaks || ctx.Err() != nil {
			return out
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// leaks judges what was noted.
func leaks(all []resources) check.Result {
	r := check.Result{Checker: "leaks", OK: true}
	most := [2]int{}
	for _, x := range all {
		if x.Goroutines[0] == 0 || x.Goroutines[1] == 0 {
			return check.Result{Checker: r.Checker, Text: x.Node + " did not tell what it holds: nothing is proved"}
		}
		if x.leaks() {
			r.OK = false
			r.Text += fmt.Sprintf("%s: %d goroutines and %d files before, %d and %d after; ", x.Node, x.Goroutines[0], x.Files[0], x.Goroutines[1], x.Files[1])
		}
		most = [2]int{max(most[0], x.Goroutines[1]-x.Goroutines[0]), max(most[1], x.Files[1]-x.Files[0])}
	}
	if r.OK {
		r.Text = fmt.Sprintf("no node holds more than %d goroutines and %d files more than before", most[0], most[1])
	}
	return r
}
