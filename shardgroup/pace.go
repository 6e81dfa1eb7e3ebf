package shardgroup

import "time"

// A snapshot or a digest reads all of the state: a second of CPU time for some million keys. With one processor (--max-procs 1) the
// scheduler would let it run for 10 ms at a time, and longer: what arrives from the network is found only
// when nothing is ready to run. So it works for a slice, then sleeps for restSlice, in which the network is looked
// at. Nobody waits for a snapshot, so its slices are short: measured with three nodes on two processors, see DESIGN.md.
const (
	snapshotSlice = 50 * time.Microsecond
	digestSlice   = 150 * time.Microsecond
	restSlice     = time.Millisecond
)

// pace is the pace of one goroutine's work.
type pace struct {
	slice time.Duration
	since time.Time
}

func newPace(slice time.Duration) *pace { return &pace{slice, time.Now()} }

// rest sleeps if the last rest is long enough ago.
func (p *pace) rest() {
	if time.Since(p.since) >= p.slice {
		time.Sleep(restSlice)
		p.since = time.Now()
	}
}
