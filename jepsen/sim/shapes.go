package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Shape is the proportions of a run. What a simulation costs is messages, so one that has few of them per simulated hour, or
// per lost leader, sees more of these; but only many clients and long faults see what many clients and long faults lead to.
type Shape struct {
	Name  string
	About string
	draw  func(p *Plan, rng *rand.Rand)
}

// Shapes are all of them.
func Shapes() []Shape {
	return []Shape{
		{"dense", "two minutes with many clients, any fault for up to half a minute", func(*Plan, *rand.Rand) {}},
		{"storm", "minutes with few clients, in which leaders are lost every second or two", (*Plan).storm},
		{"calm", "hours with few clients and messages, in which faults come minutes apart", (*Plan).calm},
	}
}

// deposing are the kinds of faults that cost a leader its place most surely.
var deposing = []string{"isolate", "transfer", "kill", "crash", "one-way", "pause"}

func (p *Plan) storm(rng *rand.Rand) {
	p.Nodes, p.Replicas, p.Groups = 3, 3, 1+rng.IntN(3)
	p.Clients, p.Think = 1+rng.IntN(2), time.Duration(200+rng.IntN(400))*time.Millisecond
	p.Safety = time.Duration(3+rng.IntN(10)) * time.Minute
	p.Pace, p.Overlap = time.Duration(200+rng.IntN(500))*time.Millisecond, 1+rng.IntN(2)
	p.Election, p.Lease, p.Commit = 500*time.Millisecond, 400*time.Millisecond, 200*time.Millisecond
	p.Brief = time.Duration(1000+rng.IntN(1500)) * time.Millisecond
	if slices.IndexFunc(p.Families, func(f string) bool { return slices.Contains(deposing, f) }) < 0 {
		p.Families = append(p.Families, deposing[rng.IntN(len(deposing))])
	}
}

func (p *Plan) calm(rng *rand.Rand) {
	p.Nodes, p.Replicas, p.Groups = 3, 3, 1
	p.Clients, p.Think = 1+rng.IntN(2), time.Duration(2+rng.IntN(8))*time.Second
	p.Safety = time.Duration(60+rng.IntN(120)) * time.Minute
	p.Pace, p.Overlap = time.Duration(10+rng.IntN(60))*time.Second, 1+rng.IntN(3)
	p.Election, p.Lease, p.Commit = 4*time.Second, 3200*time.Millisecond, 2*time.Second
}
