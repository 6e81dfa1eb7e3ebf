package sim

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A process whose goroutines hand each other the only processor for ever is ended, and found, with a trace of them.
func TestAHungProcessIsFound(t *testing.T) {
	after := hungAfter
	defer func() { hungAfter = after }()
	hungAfter = 200 * time.Millisecond
	began := time.Now()
	hung := func() *exec.Cmd {
		cmd := command()
		cmd.Env = append(cmd.Env, fmt.Sprint(asChild, "=", hangs))
		return cmd
	}
	r, err := Command(hung).Simulate(Job{Seed: 3}, nil)
	if err != nil || r.OK() {
		t.Fatalf("%v after %v: %s", err, time.Since(began), r)
	}
	if v := r.Violations[0]; v.Checker != "harness: hung" || !strings.Contains(v.Text, "sim.pingPong") {
		t.Errorf("%v", v)
	}
}

// pingPong never ends and lets nobody else run.
func pingPong() {
	a, b := make(chan int), make(chan int)
	go func() {
		for x := range a {
			b <- x
		}
	}()
	for {
		a <- 1
		<-b
	}
}

// A process is hung if it computes and time stands still, or if it does nothing, but not for being slow.
func TestWhatCountsAsHung(t *testing.T) {
	for name, x := range map[string]struct {
		cpu, beats, times int
		judge, want       bool
	}{
		"it computes and beats":      {cpu: 900, beats: 1, times: 1000},
		"it computes in vain":        {cpu: 900, times: 100, want: true},
		"it judges for a while":      {cpu: 900, times: 100, judge: true},
		"it judges for ever":         {cpu: 900, times: 1000, judge: true, want: true},
		"it sleeps for a while":      {times: hungLooks},
		"it sleeps for ever":         {times: hungLooks + 1, want: true},
		"it hardly gets to compute":  {cpu: 10, times: 1000},
		"it beats without computing": {beats: 1, times: 1000},
	} {
		var l look
		got := l.hung(0, time.Millisecond, x.judge)
		for i := range x.times {
			got = got || l.hung(int64((i+1)*x.beats), time.Duration((i+1)*x.cpu)*time.Millisecond+time.Millisecond, x.judge)
		}
		if got != x.want {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

func TestComputedGrows(t *testing.T) {
	for computed(os.Getpid()) < 20*time.Millisecond {
		_ = strings.Repeat("x", 1<<10) // or the test never ends
	}
}

// Raft's leadership transfer reads an entry again and again while that fails: virtual time must go on meanwhile, or all stand still.
func TestALogThatFailsTakesTimeToSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for err, want := range map[error]time.Duration{errors.New("gone"): excuse, raft.ErrLogNotFound: 0, nil: 0} {
			began := time.Now()
			if got := (unhurried{brokenLog{err: err}}).GetLog(1, new(raft.Log)); got != err || time.Since(began) != want {
				t.Errorf("%v: %v after %v", err, got, time.Since(began))
			}
		}
	})
}

type brokenLog struct {
	raft.LogStore
	err error
}

func (b brokenLog) GetLog(uint64, *raft.Log) error { return b.err }
