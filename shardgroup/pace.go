package shardgroup

import "time"

// A snapshot or a digest reads all of the state: a second of CPU time for some million keys. With one processor (--max-procs 1) the
// scheduler would let it run for 10 ms at a time, and longer: what arrives from the network is found only
// when nothing is ready to run. So it works for workSlice, then sleeps for restSlice, in which the network is looked
// at. Measured with three nodes on two processors, 5 million keys and 10,000 SETs/s: see DESIGN.md.
const (
	workSlice = 150 * time.Microsecond
	restSlice = time.Millisecond
)

// pace is the pace of one goroutine's work.
type pace struct{ since time.Time }

func newPace() *pace { return &pace{time.Now()} }

// rest sleeps if the last rest is long enough ago.
func (p *pace) rest() {
	if time.Since(p.since) >= workSlice {
		time.Sleep(restSlice)
		p.since = time.Now()
	}
}
