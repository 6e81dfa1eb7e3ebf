package shardgroup

import "time"

// A snapshot or a digest reads all of the state: a second of CPU time for some million keys. With one processor (--max-procs 1) the
// scheduler would let it run for 10 ms at a time, and longer: what arrives from the network is found only
// when nothing is ready to run. So it works for a slice, then sleeps for restTime, in which the network is looked
// at. No client waits for a snapshot, so its slices are short: measured with three nodes on two processors, see DESIGN.md.
const (
	snapshotSlice = 50 * time.Microsecond
	digestSlice   = 150 * time.Microsecond
	restTime      = time.Millisecond
)

// pace is the pace of one goroutine's work.
type pace struct {
	slice time.Duration
	since time.Time
	// behind is how many others wait for the work to end; nil: nobody does. Rests are shorter then, as if they all worked beside
	// each other. It keeps their logs, which grow meanwhile, as short as if they did.
	behind func() int
}

func newPace(slice time.Duration, behind func() int) *pace { return &pace{slice, time.Now(), behind} }

// rest sleeps if the last rest is long enough ago.
func (p *pace) rest() {
	if time.Since(p.since) < p.slice {
		return
	}
	rest := restTime
	if p.behind != nil {
		rest /= time.Duration(1 + p.behind())
	}
	time.Sleep(rest)
	p.since = time.Now()
}
