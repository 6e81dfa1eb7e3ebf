package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/counter"
	"github.com/quorate/quorate/jepsen/process"
)

// Options describe a tour.
type Options struct {
	// Binary is the quorate executable, Port the first client port.
	Binary string
	Port   int
	// Step is how long each act lasts; 10 s by default.
	Step time.Duration
	Out  io.Writer
}

const prefix = "demo"

// tour is a running tour.
type tour struct {
	Options
	cluster *process.Cluster
	work    *counter.Workload
}

// Run takes the tour. It returns an error if anything acknowledged was lost, any read was stale, or the cluster did not
// come back.
func Run(ctx context.Context, o Options) error {
	if o.Step <= 0 {
		o.Step = 10 * time.Second
	}
	dir, err := os.MkdirTemp("", "quorate-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &tour{Options: o}
	t.say("Starting three server processes (data and logs in %s) …", dir)
	if t.cluster, err = process.Start(ctx, process.Options{Binary: o.Binary, Dir: dir, Nodes: 3, Port: o.Port, Flags: []string{"--http-listen="}}); err != nil {
		return err
	}
	defer t.cluster.Close()
	start := time.Now()
	if err := t.ready(ctx); err != nil {
		return err
	}
	t.say("The cluster serves after %s. Watch along: redis-cli -c -p %d get %s:0\n", short(time.Since(start)), o.Port, prefix)
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	t.work = counter.Start(run, counter.Options{
		Seeds: t.cluster.Addrs(), Keys: 50, Prefix: prefix, Writers: 8, Readers: 4, Timeout: 500 * time.Millisecond,
	})
	for _, act := range []func(context.Context) error{t.load, t.kill, t.pause} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	cancel()
	t.work.Wait()
	return t.verdict(ctx)
}

func (t *tour) say(format string, args ...any) { fmt.Fprintf(t.Out, format+"\n", args...) }

func (t *tour) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return t.cluster.WaitReady(ctx)
}

// load shows writes going on for a step.
func (t *tour) load(ctx context.Context) error {
	t.say("1. Eight writers count up 50 keys (INCR), four readers check every answer.\n   Each write is on disk on two of three nodes before it is acknowledged.")
	return t.show(ctx, "writing")
}

// show displays progress for a step.
func (t *tour) show(ctx context.Context, what string) error {
	bar := progressbar.NewOptions(int(t.Step/time.Millisecond), progressbar.OptionSetWriter(t.Out), progressbar.OptionSetWidth(30),
		progressbar.OptionSetDescription("   "+what), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish())
	start, from := time.Now(), t.work.Acked.Load()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for time.Since(start) < t.Step {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		n := t.work.Acked.Load() - from
		bar.Describe(fmt.Sprintf("   %s: %d acknowledged, %.0f/s", what, n, float64(n)/time.Since(start).Seconds()))
		if err := bar.Set(int(min(time.Since(start), t.Step) / time.Millisecond)); err != nil {
			return err
		}
	}
	if err := bar.Finish(); err != nil {
		return err
	}
	n := t.work.Acked.Load() - from
	t.say("   %s: %d writes acknowledged (%.0f/s), %d reads checked so far\n", what, n, float64(n)/t.Step.Seconds(), t.work.Reads.Load())
	return nil
}

// kill kills a leader with SIGKILL and starts it again.
func (t *tour) kill(ctx context.Context) error {
	leader, held, err := t.leader(ctx)
	if err != nil {
		return err
	}
	t.say("2. kill -9 of %s, which leads %d of the keys …", leader.Addr(), len(held))
	at := time.Now()
	leader.Kill()
	if err := t.recovered(ctx, at, held); err != nil {
		return err
	}
	if err := t.show(ctx, "writing on two nodes"); err != nil {
		return err
	}
	t.say("   Starting it again; it catches up and takes its share of leaders back.")
	return leader.Start()
}

// pause stops a leader's process as a long garbage collection or a frozen VM would, and lets it go on.
func (t *tour) pause(ctx context.Context) error {
	if err := t.ready(ctx); err != nil {
		return err
	}
	leader, held, err := t.leader(ctx)
	if err != nil {
		return err
	}
	t.say("3. SIGSTOP of %s, as a virtual machine that freezes.\n   When it wakes up it will believe that it still leads …", leader.Addr())
	at := time.Now()
	leader.Pause()
	if err := t.recovered(ctx, at, held); err != nil {
		return err
	}
	leader.Resume()
	return t.show(ctx, "writing while it wakes up")
}

func (t *tour) leader(ctx context.Context) (*process.Node, map[string]bool, error) {
	leader, err := t.cluster.LeaderOf(ctx, prefix+":0")
	if err != nil {
		return nil, nil, err
	}
	cl := client.NewCluster(t.cluster.Addrs(), client.Options{})
	defer cl.Close()
	if err := cl.Refresh(ctx); err != nil {
		return nil, nil, err
	}
	held := map[string]bool{}
	for _, k := range t.work.Keys() {
		if cl.Owner(k) == leader.Addr() {
			held[k] = true
		}
	}
	return leader, held, nil
}

func (t *tour) recovered(ctx context.Context, at time.Time, held map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	gap, err := t.work.NextAck(ctx, at, held)
	if err != nil {
		return err
	}
	t.say("   its keys were written again %s later", short(gap))
	return nil
}

// verdict compares what was acknowledged with what is there.
func (t *tour) verdict(ctx context.Context) error {
	if err := t.ready(ctx); err != nil {
		return err
	}
	violations, err := t.work.Check(ctx)
	if err != nil {
		return err
	}
	w := t.work
	t.say("Seen: %d writes acknowledged, %d refused (not applied), %d with unknown outcome, %d reads checked.",
		w.Acked.Load(), w.Refused.Load(), w.Unknown.Load(), w.Reads.Load())
	for _, v := range violations {
		t.say("VIOLATION: %s", v)
	}
	if len(violations) > 0 {
		return fmt.Errorf("%d violations: this is a bug, please report it", len(violations))
	}
	t.say("Every acknowledged write is there. No write was applied twice. No read was stale.")
	return nil
}

func short(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
