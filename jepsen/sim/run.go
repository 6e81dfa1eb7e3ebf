package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/sim/bubble"
	"github.com/quorate/quorate/jepsen/workload"
	"github.com/quorate/quorate/placement/topology"
)

const (
	// commandTimeout is after what time a client gives a command up.
	commandTimeout = 2 * time.Second
	// birth bounds how long a new cluster takes.
	birth = time.Minute
	// supervision is how often a supervisor looks for processes that have ended.
	supervision = 500 * time.Millisecond
	// settling is how often a run is put back on the seed's way.
	settling = 100 * time.Millisecond
)

// run is one simulation.
type run struct {
	plan    Plan
	c       *cluster
	nemesis *nemesis
	history bytes.Buffer
	writer  *history.Writer
	load    *workload.Run
	began   time.Time
	// clients is when, after the beginning, the clients began and with them the times in the history.
	clients time.Duration
	elapsed time.Duration
	faults  []Fault
}

// simulate runs a plan in a bubble and returns what is to be judged.
func simulate(p Plan, out io.Writer, verbose bool) (r *run, err error) {
	err = bubble.Run(p.Seed, func() {
		t := newTrace(out, verbose)
		r = &run{plan: p, c: newCluster(p, t), began: time.Now()}
		r.all()
	})
	return r, err
}

// all is a run from beginning to end.
func (r *run) all() {
	r.nemesis = &nemesis{c: r.c, rng: rand.New(rand.NewPCG(r.plan.Seed, 2)), began: r.began}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		r.keep(stop)
	}()
	for _, s := range r.c.nodes {
		s.start()
	}
	if r.c.await("a cluster", birth, r.born) {
		r.safety()
		r.survive()
	}
	r.elapsed = time.Since(r.began)
	close(stop)
	<-stopped
	r.end()
}

// keep does what goes on all the time.
func (r *run) keep(stop <-chan struct{}) {
	supervise, beaten := time.Now(), time.Now()
	for !await(stop, settling) {
		bubble.Settle(r.plan.Seed)
		if time.Since(beaten) >= beatEvery {
			beaten = time.Now()
			beat(going)
		}
		r.c.look()
		r.c.losses.look()
		if time.Since(supervise) >= supervision {
			supervise = time.Now()
			for _, s := range r.c.nodes {
				s.start()
			}
		}
	}
}

// born says what is missing for a whole cluster.
func (r *run) born() string {
	for _, s := range r.c.nodes {
		n, _ := s.now()
		if n == nil {
			return fmt.Sprintf("%s does not run", s.host)
		}
		select {
		case <-n.Ready():
		default:
			return fmt.Sprintf("%s waits: %s", s.host, n.Waiting())
		}
	}
	return r.c.led(r.c.known())
}

// safety is the phase in which anything goes wrong. The clients go on after it.
func (r *run) safety() {
	spec, _ := workload.Named(r.plan.Workload)
	r.writer, r.clients = history.NewWriter(&r.history), time.Since(r.began)
	ctx, cancel := context.WithCancel(context.Background())
	var seeds []string
	for _, s := range r.c.nodes {
		seeds = append(seeds, s.client())
	}
	r.load = workload.Start(ctx, spec, workload.Options{
		Seeds: seeds, Clients: r.plan.Clients, Seed: r.plan.Seed, History: r.writer, Timeout: commandTimeout, Think: r.plan.Think, Ballast: r.plan.Ballast, Largest: r.plan.largest(),
		Dial: func(ctx context.Context, addr string) (net.Conn, error) { return r.c.net.Dial(ctx, "clients", addr) },
	})
	var families []Family
	for _, f := range Families() {
		if slices.Contains(r.plan.Families, f.Name) {
			families = append(families, f)
		}
	}
	if script := scripts[r.plan.Script]; script != nil {
		r.nemesis.follow(script)
	} else {
		r.nemesis.run(families, time.Now().Add(r.plan.Safety))
	}
	r.faults = r.nemesis.faults
	r.c.trace.event("the faults are over")
	for _, s := range r.c.nodes {
		r.c.calm(s)
	}
	cancel()
	r.load.Wait()
}

// survive is the phase in which only a core lives: it must serve within a bound. Then the others come back, and must catch up.
func (r *run) survive() {
	if !r.c.await("a map that stays", 2*r.plan.Liveness, r.c.steady()) {
		return
	}
	m := r.c.known()
	if r.plan.Durability == "interval" && !r.whole(m) {
		return
	}
	core, rest := r.nemesis.core(m)
	r.c.trace.event("only %s live on, %s do not", names(core), names(rest))
	back := r.nemesis.desert(rest)
	ok := r.c.await("leaders in the core", r.plan.Liveness, func() string { return r.ledBy(m, core) }) &&
		r.served() &&
		r.c.await("equal replicas in the core", r.plan.Liveness, func() string { return r.c.agree(m, core) })
	back()
	ok = ok && r.c.await("equal replicas everywhere", 2*r.plan.Liveness, func() string { return r.c.agree(m, r.c.nodes) }) &&
		r.c.await("no replica of those who left", r.plan.Liveness, func() string { return r.c.left(m) })
	if ok {
		r.c.trace.event("all replicas are equal")
	}
}

// whole waits until no replica holds its votes for having lost power: until then it may not help the rest to elect a leader,
// so a core with such a replica may rightly stand still.
func (r *run) whole(m *topology.Map) bool {
	return r.c.await("every replica votes", 2*r.plan.Liveness, func() string {
		for _, s := range r.c.nodes {
			for _, g := range m.GroupsOn(r.c.idOf(s)) {
				if replica := s.group(g); replica == nil || replica.VotesHeld() {
					return fmt.Sprintf("%s does not vote in group %d", s.host, g)
				}
			}
		}
		return ""
	})
}

// ledBy says what is missing for the core to serve.
func (r *run) ledBy(m *topology.Map, core []*server) string {
	if why := r.c.led(m); why != "" {
		return why
	}
	for i := range m.Groups {
		if l := r.c.leader(m.Groups[i].ID); l == nil || !slices.Contains(core, l) {
			return fmt.Sprintf("group %d has no leader in the core", m.Groups[i].ID)
		}
	}
	return ""
}

// served reads every object a last time.
func (r *run) served() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*r.plan.Liveness)
	defer cancel()
	if err := r.load.Finish(ctx); err != nil {
		r.c.oracle.Report("liveness", "%v", err)
		return false
	}
	return true
}

// end stops every node, some with grace, and waits for all that it has started.
func (r *run) end() {
	for _, s := range r.c.nodes {
		s.hold()
		if r.plan.Seed%2 == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			s.stop(ctx)
			cancel()
		}
		if _, p := s.now(); p != nil {
			s.die(p, false)
		}
	}
	r.c.ending.Wait()
	time.Sleep(time.Minute) // what waits for a deadline has none longer than this
}
