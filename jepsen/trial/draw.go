package trial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/page"
)

// draw writes the page of a run.
func (v *Verdict) draw(dir string, ops []history.Op, events []nemesis.Event) (err error) {
	r := page.Run{
		Title: fmt.Sprintf("%s × %s, seed %d: %s", v.Workload, strings.Join(v.Nemesis, ","), v.Seed, v.Word()),
		OK:    v.OK, Facts: v.facts(), Counts: v.Ops, Results: v.Results, Ops: ops, Events: events, Recovery: v.Recovery,
	}
	for _, result := range v.Results {
		if result.Picture != "" {
			r.Picture, r.PictureFile = drawn(result), filepath.Base(result.Picture)
		}
	}
	logs, err := filepath.Glob(filepath.Join(dir, dirNodes, "*.log"))
	if err != nil {
		return err
	}
	for _, l := range logs {
		r.Logs = append(r.Logs, filepath.Join(dirNodes, filepath.Base(l)))
	}
	f, err := os.Create(filepath.Join(dir, filePage))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return page.Write(f, r)
}

// drawn is a checker's picture; that it can't be read is no reason to have no page.
func drawn(r check.Result) string {
	picture, err := os.ReadFile(r.Picture)
	if err != nil {
		return err.Error()
	}
	return string(picture)
}

func (v *Verdict) facts() [][2]string {
	c := v.Config
	facts := [][2]string{
		{"again", v.Command()},
		{"cluster", c.where()},
		{"clients", fmt.Sprintf("%d, pausing %v after each operation, for %v", c.Clients, c.Think, c.Duration)},
		{"recovery", fmt.Sprintf("must end within %v of each fault; the highest load of the machine was %.1f", c.Bound, v.Load)},
	}
	if t := v.Toll; t.Lost+t.Stale+t.Returned > 0 {
		facts = append(facts, [2]string{"toll", fmt.Sprintf("%d of %d acknowledged writes were lost; %d stale reads, %d of values that had gone", t.Lost, t.Acknowledged, t.Stale, t.Returned)})
	}
	if v.Patched != "" {
		facts = append(facts, [2]string{"from the logs", v.Patched})
	}
	return facts
}

// Command is how to run it again.
func (c Config) Command() string {
	if len(c.Cluster) > 0 {
		return fmt.Sprintf("quorate jepsen run --cluster %s --workload %s --duration %v --seed %d --clients %d --think %v",
			strings.Join(c.Cluster, ","), c.Workload, c.Duration, c.Seed, c.Clients, c.Think)
	}
	out := fmt.Sprintf("quorate jepsen run --workload %s --nemesis %s --duration %v --seed %d --nodes %d --clients %d --think %v --bound %v --quiet %v,%v --hurt %v,%v",
		c.Workload, strings.Join(c.Nemesis, ","), c.Duration, c.Seed, c.Nodes, c.Clients, c.Think, c.Bound, c.Quiet[0], c.Quiet[1], c.Hurt[0], c.Hurt[1])
	if c.System == redis {
		out += fmt.Sprintf(" --system redis --replicas %d --node-timeout %v", c.Replicas, c.NodeTimeout)
	}
	if c.Network {
		out += " --network"
	}
	if c.Disks {
		out += " --disks"
	}
	for _, f := range c.Flags {
		out += " --server-flag=" + f
	}
	return out
}
