package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shrink looks for a smaller job that breaks the same rule: fewer kinds of faults, a shorter time, fewer clients and
// groups. It returns the smallest one found, which may be the job itself, and its report. What is left out changes all that
// comes after it, so a smaller job may be smaller by luck; it is tried once, since it either shows the violation or does not.
func (c Command) Shrink(job Job, r Report) (Job, Report) {
	checker := r.Violations[0].Checker
	for smaller := true; smaller; {
		smaller = false
		for _, o := range reductions(r) {
			o.Mutation, o.Shape = job.Options.Mutation, job.Options.Shape
			try, err := c.Simulate(Job{Seed: job.Seed, Options: o}, nil)
			if err == nil && !try.OK() && try.Violations[0].Checker == checker {
				job, r, smaller = Job{Seed: job.Seed, Options: o}, try, true
				break
			}
		}
	}
	return job, r
}

// afterwards is how long a run goes on after a violation when it is made shorter.
const afterwards = 3 * time.Second

// reductions are plans smaller than a run's, each by one thing, the most promising first.
func reductions(r Report) (out []Options) {
	p := r.Plan
	base := Options{Families: append([]string{}, p.Families...), Workload: p.Workload, Safety: p.Safety, Clients: p.Clients, Groups: p.Groups}
	with := func(change func(o *Options)) {
		o := base
		change(&o)
		out = append(out, o)
	}
	if end := r.Violations[0].At + afterwards; end < p.Safety && end > time.Second {
		with(func(o *Options) { o.Safety = end })
	}
	if n := len(p.Families); n > 3 {
		with(func(o *Options) { o.Families = p.Families[:n/2] })
		with(func(o *Options) { o.Families = p.Families[n/2:] })
	}
	for i := range p.Families {
		with(func(o *Options) { o.Families = slices.Delete(slices.Clone(p.Families), i, i+1) })
	}
	if p.Groups > 1 {
		with(func(o *Options) { o.Groups = p.Groups / 2 })
	}
	if p.Clients > 1 {
		with(func(o *Options) { o.Clients = p.Clients / 2 })
	}
	if p.Safety > 4*time.Second {
		with(func(o *Options) { o.Safety = p.Safety / 2 })
	}
	return out
}

// Replay is the command line that runs a job again and prints its trace.
func (j Job) Replay() string {
	var b strings.Builder
	fmt.Fprintf(&b, "quorate jepsen sim --replay %d", j.Seed)
	o := j.Options
	if o.Families != nil {
		fmt.Fprintf(&b, " --families %s", cmp.Or(strings.Join(o.Families, ","), none))
	}
	if o.Workload != "" {
		fmt.Fprintf(&b, " --workload %s", o.Workload)
	}
	if o.Safety > 0 {
		fmt.Fprintf(&b, " --safety %v", o.Safety)
	}
	if o.Clients > 0 {
		fmt.Fprintf(&b, " --clients %d", o.Clients)
	}
	if o.Groups > 0 {
		fmt.Fprintf(&b, " --groups %d", o.Groups)
	}
	if o.Shape != "" {
		fmt.Fprintf(&b, " --shape %s", o.Shape)
	}
	if o.Mutation != "" {
		fmt.Fprintf(&b, " --mutation %s", o.Mutation)
	}
	return b.String()
}
