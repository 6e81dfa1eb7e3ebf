package trial

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/jepsen/workload"
)

// outside runs the workload on a cluster that somebody else runs. Nothing is hurt and no log is read: what clients saw is all that
// is judged. The keys have names that no other run has, and stay.
func (o Options) outside(ctx context.Context, spec workload.Spec) (e ending, err error) {
	w, notes, closed, err := o.open()
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, closed()) }()
	run, cancel := context.WithTimeout(ctx, o.Duration)
	defer cancel()
	load := workload.Start(run, spec, workload.Options{
		Seeds: o.Cluster, Password: o.Password, Prefix: fmt.Sprintf("jepsen-%d-", time.Now().UnixNano()),
		Clients: o.Clients, Seed: o.Seed, History: w, Timeout: commandTimeout, Think: o.Think,
	})
	notes.stage("of a cluster outside")
	var others sync.WaitGroup
	others.Go(func() { o.progress(run, w, notes) })
	load.Wait()
	others.Wait()
	if ctx.Err() != nil {
		return e, ctx.Err()
	}
	notes.stage("reading everything again")
	last, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := load.Finish(last); err != nil {
		e.LastReads = err.Error()
	}
	e.Sealed = &seal{Operations: w.Counts().Total()}
	return e, nil
}

// checkOutside says why a run on a cluster outside can't be what o asks for.
func (o Options) checkOutside(faults int) error {
	switch {
	case len(o.Cluster) == 0:
		return nil
	case faults > 0:
		return errors.New("a cluster that others run is not hurt: leave --nemesis out, or leave --cluster out and a cluster is made")
	case o.Network || o.Disks || len(o.Flags) > 0:
		return errors.New("--network, --disks and --server-flag are for a cluster that is made: leave them out, or --cluster")
	}
	return nil
}
