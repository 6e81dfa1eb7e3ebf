package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is one way to hurt a cluster.
type Fault struct {
	Name string
	// Family is the row of the fault matrix that it belongs to.
	Family string
	About  string
	Needs  Needs

	inject func(ctx context.Context, e *env) (injury, error)
}

// Needs are what a fault asks of the cluster from the start.
type Needs struct {
	// Network is a network namespace per node, Disks a file system per node, Orders that nodes obey orders about clock and disk.
	Network, Disks, Orders bool
	// Quorate is that the nodes can be asked and ordered as only Quorate's can.
	Quorate bool
	// Nodes is the least number of nodes, Spares how many more must stand by.
	Nodes, Spares int
	// Shift is how far the nodes' clocks must be apart from the start.
	Shift time.Duration
	// Skew is how far the fault moves any clock.
	Skew time.Duration
	// Evicts is that keys of the workload may be evicted, which not all of them know.
	Evicts bool
	// Flags go to every server.
	Flags []string
}

// And puts the needs of two faults together.
func (n Needs) And(o Needs) Needs {
	out := Needs{
		Network: n.Network || o.Network, Disks: n.Disks || o.Disks, Orders: n.Orders || o.Orders, Quorate: n.Quorate || o.Quorate,
		Evicts: n.Evicts || o.Evicts,
		Nodes:  max(n.Nodes, o.Nodes), Spares: max(n.Spares, o.Spares), Shift: max(n.Shift, o.Shift), Skew: max(n.Skew, o.Skew),
	}
	for _, f := range slices.Concat(n.Flags, o.Flags) {
		if !slices.Contains(out.Flags, f) {
			out.Flags = append(out.Flags, f)
		}
	}
	return out
}

// injury is a fault under way. An injury whose injection failed half way still has heal and back.
type injury struct {
	victim string
	// act goes on hurting until ctx ends; nil if the fault just lasts.
	act func(ctx context.Context)
	// until goes on after that until the fault has had its effect, or ctx, the run's, ends; nil if there is nothing to wait for.
	until func(ctx context.Context)
	// heal takes the cause away; back then undoes what needs the others' help, such as the return of a member, when all causes are gone.
	// Either may be nil.
	heal, back func() error
	// bit says how the fault shows while it lasts, late how it shows once the cluster is whole again; "" if it does not. A fault
	// without bit shows by the elections that it makes.
	bit  func() string
	late func() string
	// after says what is wrong once the cluster is whole again, memory what nodes held while the fault lasted; nil if there is nothing
	// to look at.
	after  func(ctx context.Context) error
	memory func() *Memory
}

// total adds up a counter or gauge over the nodes that answer.
func (e *env) total(ctx context.Context, name string) (sum float64) {
	for _, n := range e.cluster.Nodes() {
		if m, err := n.Metrics(ctx); err == nil {
			sum += m[name]
		}
	}
	return sum
}

// errNotNow says that the cluster is in no state for the fault: it has no leader, say. Nothing was hurt.
var errNotNow = errors.New("not possible at the moment")

// Faults are all of them.
func Faults() []Fault {
	return slices.Concat(processFaults(), networkFaults(), diskFaults(), clockFaults(), leaderFaults(), snapshotFaults(), memberFaults(), clientFaults(), memoryFaults())
}

// mixture is how many faults "mix" has under way at once.
const mixture = 2

// Named finds faults; "none" is no fault, "a+b" both at once, "all" every one for which have is enough, "mix" two of those at once.
// Faults that change the start (clocks apart, small snapshots), and those that evict, are not in "all".
func Named(names []string, have Needs) (out []Fault, err error) {
	for _, name := range names {
		switch name {
		case "none":
		case "all":
			out = append(out, enough(have)...)
		case "mix":
			out = append(out, mix(enough(have)))
		default:
			f, err := named(name)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
	}
	for _, f := range out {
		if err := f.Needs.met(have); err != nil {
			return nil, fmt.Errorf("nemesis %s needs %w", f.Name, err)
		}
	}
	return out, nil
}

func named(name string) (Fault, error) {
	var parts []Fault
	for part := range strings.SplitSeq(name, "+") {
		all := Faults()
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == part })
		if i < 0 {
			return Fault{}, fmt.Errorf("no nemesis is called %q: see quorate jepsen list", part)
		}
		parts = append(parts, all[i])
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return together(name, parts), nil
}

func enough(have Needs) (out []Fault) {
	for _, f := range Faults() {
		if f.Needs.met(have) == nil && f.Needs.Shift == 0 && f.Needs.Skew == 0 && !f.Needs.Evicts && len(f.Needs.Flags) == 0 {
			out = append(out, f)
		}
	}
	return out
}

// met says what is missing of the needs that a caller must ask for; all others are free.
func (n Needs) met(have Needs) error {
	switch {
	case n.Network && !have.Network:
		return errors.New("network namespaces: add --network (root and iproute2)")
	case n.Disks && !have.Disks:
		return errors.New("a file system per node: add --disks (root, mkfs.ext4 and loop devices)")
	case n.Nodes > have.Nodes:
		return fmt.Errorf("--nodes %d or more", n.Nodes)
	case n.Quorate && !have.Quorate:
		return errors.New("Quorate's nodes")
	}
	return nil
}

// mix does other ones each time.
func mix(of []Fault) Fault {
	m := Fault{Name: "mix", Family: "composed", About: "two other faults at once, at random"}
	for _, f := range of {
		m.Needs = m.Needs.And(f.Needs)
	}
	m.inject = func(ctx context.Context, e *env) (injury, error) {
		var parts []Fault
		var names []string
		for _, i := range e.rng.Perm(len(of))[:mixture] {
			parts, names = append(parts, of[i]), append(names, of[i].Name)
		}
		in, err := together("", parts).inject(ctx, e)
		in.victim = strings.Join(names, "+") + ": " + in.victim
		return in, err
	}
	return m
}

// together is several faults at once, healed in the opposite order.
func together(name string, parts []Fault) Fault {
	f := Fault{Name: name, Family: "composed", About: "both at once"}
	for _, p := range parts {
		f.Needs = f.Needs.And(p.Needs)
	}
	f.inject = func(ctx context.Context, e *env) (injury, error) {
		e.amid = true
		defer func() { e.amid = false }()
		var all []injury
		for _, p := range parts {
			in, err := p.inject(ctx, e)
			if err == nil || in.heal != nil || in.back != nil {
				all = append(all, in)
			}
			if err != nil && !errors.Is(err, errNotNow) {
				return joined(all), fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		if len(all) == 0 {
			return injury{}, errNotNow
		}
		return joined(all), nil
	}
	return f
}

func joined(all []injury) injury {
	texts := func(of func(injury) func() string) func() string {
		return func() (out string) {
			for _, in := range all {
				if f := of(in); f != nil {
					out = join(out, f())
				}
			}
			return out
		}
	}
	in := injury{
		bit:  texts(func(in injury) func() string { return in.bit }),
		late: texts(func(in injury) func() string { return in.late }),
		heal: backwards(all, func(in injury) func() error { return in.heal }),
		back: backwards(all, func(in injury) func() error { return in.back }),
		act: func(ctx context.Context) {
			var wg sync.WaitGroup
			for _, in := range all {
				if in.act != nil {
					wg.Go(func() { in.act(ctx) })
				}
			}
			wg.Wait()
			<-ctx.Done()
		},
		until: func(ctx context.Context) {
			for _, in := range all {
				if in.until != nil {
					in.until(ctx)
				}
			}
		},
	}
	in.after = func(ctx context.Context) (err error) {
		for _, in := range all {
			if in.after != nil {
				err = errors.Join(err, in.after(ctx))
			}
		}
		return err
	}
	in.memory = func() (m *Memory) {
		for _, in := range all {
			if in.memory != nil {
				m = m.and(in.memory())
			}
		}
		return m
	}
	var victims []string
	for _, part := range all {
		victims = append(victims, part.victim)
	}
	in.victim = strings.Join(victims, ", ")
	return in
}

// backwards does something of all injuries, the newest first.
func backwards(all []injury, what func(injury) func() error) func() error {
	return func() (err error) {
		for _, in := range slices.Backward(all) {
			if do := what(in); do != nil {
				err = errors.Join(err, do())
			}
		}
		return err
	}
}

func join(a, b string) string {
	if a != "" && b != "" {
		return a + ", " + b
	}
	return a + b
}
