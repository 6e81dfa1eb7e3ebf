package trial

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/workload"
)

// record runs clients, faults and the look-out together, then heals, reads everything again and compares the replicas.
func (o Options) record(ctx context.Context, c *process.Cluster, spec workload.Spec, faults []nemesis.Fault) (e ending, err error) {
	w, notes, closed, err := o.open()
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, closed()) }()
	var before []resources
	if c.IsQuorate() {
		before = hold(ctx, c)
	}
	run, cancel := context.WithTimeout(ctx, o.Duration)
	defer cancel()
	load := workload.Start(run, spec, workload.Options{
		Seeds: c.Addrs(), Clients: o.Clients, Seed: o.Seed, History: w, Timeout: commandTimeout, Think: o.Think,
	})
	var others sync.WaitGroup
	if c.IsQuorate() {
		others.Go(func() { look(run, c, w.Now, notes) })
	}
	others.Go(func() { o.progress(run, w, notes) })
	hurt := nemesis.Run(run, c, nemesis.Options{
		Faults: faults, Seed: o.Seed, Now: w.Now, Quiet: o.Quiet, Hurt: o.Hurt, Bound: o.Bound, Report: notes.fault, Stage: notes.stage,
	})
	cancel()
	load.Wait()
	others.Wait()
	if ctx.Err() != nil {
		return e, ctx.Err()
	}
	notes.stage("reading everything again")
	e = end(ctx, c, load, hurt, before)
	e.Sealed = &seal{Operations: w.Counts().Total()}
	return e, nil
}

// end notes what only a living cluster can tell. That it can't is a finding.
func end(ctx context.Context, c *process.Cluster, load *workload.Run, hurt error, before []resources) (e ending) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if hurt != nil {
		e.Nemesis = hurt.Error()
	} else if err := load.Finish(ctx); err != nil {
		e.LastReads = err.Error()
	} else if c.IsQuorate() {
		e.Held = holdAgain(ctx, c, before)
		if e.Said, err = c.Digests(ctx); err != nil {
			e.Digests = err.Error()
		}
	}
	for _, node := range append(c.Nodes(), c.Spares()...) {
		for _, err := range node.Exits() {
			e.Exits = append(e.Exits, err.Error())
		}
	}
	return e
}

// look asks every node for its view of the cluster until ctx ends. A node that does not answer has none.
func look(ctx context.Context, c *process.Cluster, now func() int64, n *notes) {
	for ctx.Err() == nil {
		for _, addr := range c.Addrs() {
			a, err := client.NewAdmin(ctx, []string{addr}, client.Options{Timeout: looking})
			if err != nil {
				continue
			}
			if s, err := a.Status(ctx); err == nil {
				n.view(check.View{Node: addr, At: now(), Status: s})
			}
			a.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(looking):
		}
	}
}

func (o Options) progress(ctx context.Context, w *history.Writer, n *notes) {
	if o.Progress == nil {
		return
	}
	for ctx.Err() == nil {
		p := n.progress()
		p.Elapsed, p.Ops = time.Duration(w.Now()), w.Counts()
		o.Progress(p)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}
