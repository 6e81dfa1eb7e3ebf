package heap

import "time"

const (
	// quietLooks is after how many looks in a row with few allocations and little work a server is quiet, calmLooks after how many
	// with few allocations one is that always has work. Memory that is returned in each short break is missing after it.
	quietLooks = 30
	calmLooks  = 300
	// workShare says what little work is: this part of a processor. 5,000 GETs a second allocate nothing and take a twelfth. When
	// memory was returned beside them, the collections of three nodes, at the same time since they hold the same, made the 99th
	// percentile 3.1 ms instead of 1.9. A node with 100 groups that nobody asks takes a 42nd.
	workShare = 16
	// quietShare and quietBytes say what few allocations are: this part of what is alive and so many bytes between two looks. SETs that
	// overwrite allocate little: with 2 GB alive and a 128th, full load counted as quiet, and memory was returned every six seconds
	// at 5 % of the CPU time.
	quietShare = 1024
	quietBytes = 1 << 20
	// returnShare and leastReturn say what is worth returning: it costs collections.
	returnShare = 32
	leastReturn = 16 << 20
	// restLooks is how many looks lie between two returns at least, mostLooks how many one may take. One that was asked for takes
	// fewer, since it may be beside a load, which pays for it with more collections.
	restLooks  = 60
	mostLooks  = 60
	askedLooks = 20
	// idleLooks is how many collections in a row may have nothing returned before a return ends. Go's scavenger leaves 4 MiB that were full in
	// the last cycle alone until the next one (shouldScavenge in runtime/mgcscavenge.go). With a single collection, nodes with 2 million
	// keys kept 150 to 230 MB for 40 s and more in three loads of five.
	idleLooks = 3
)

// returns gives memory that holds nothing back to the system, when a server has become quiet or allocated little for some five minutes, and a
// little at a time.
//
// debug.FreeOSMemory gives all of it back in one go, in which the goroutine's processor does nothing else: 600 MB took 120 to 230 ms
// on an idle machine. On a busy one, a SET took 733 ms just as a node with 20 million keys gave 280 MB back: longer than
// others wait before they elect another leader. Go's scavenger does it beside everything else, with 1 % of a processor, but only behind 95 % of a
// memory limit, and an allocation that exceeds the limit gives back all that is over it at once. So the limit goes down in steps
// of 3.5 %, each time to what is in use; the collection of each step is what wakes the scavenger.
type returns struct {
	// most is the limit that somebody else has set.
	most int64
	last sample
	// calm counts looks in a row with few allocations, quiet those with little work as well.
	calm, quiet int
	// works: between the last two looks it did much.
	works bool
	// rest is how many looks must pass before the next return, left how many this one may still take; 0: none is under way.
	rest, left int
	// idle counts collections after which nothing was returned.
	idle  int
	cause cause
	limit int64
}

// cause is why a return began, and so what ends it.
type cause uint8

const (
	forQuiet cause = iota
	forCalm
	forPurge
)

// note looks at what the server did since the last look.
func (r *returns) note(s sample) {
	r.calm++
	r.quiet++
	if s.allocated-r.last.allocated > s.live/quietShare+quietBytes {
		r.calm = 0
	}
	if r.works = r.calm == 0 || r.much(s.worked, s.at); r.works {
		r.quiet = 0
	}
	r.last = s
}

// since has work count from now on.
func (r *returns) since(worked time.Duration, now time.Time) { r.last.worked, r.last.at = worked, now }

// much reports whether it worked much since the last look, if until now it worked so long in all, and the next look is then.
func (r *returns) much(worked time.Duration, then time.Time) bool {
	return worked-r.last.worked > then.Sub(r.last.at)/workShare
}

// wakes reports whether a server that was quiet does so much that the next look, due every after the last one, should be now.
func (r *returns) wakes(worked time.Duration, every time.Duration) bool {
	return r.quiet > 0 && r.much(worked, r.last.at.Add(every))
}

// busy: the server works, and no return is under way.
func (r *returns) busy() bool { return r.left == 0 && r.works }

// disturbed: what let a return begin is no longer so.
func (r *returns) disturbed() bool {
	return r.cause == forQuiet && r.quiet == 0 || r.cause == forCalm && r.calm == 0
}

func (r *returns) look(s sample, purge bool) step {
	before := r.last.released
	r.note(s)
	r.rest = max(r.rest-1, 0)
	garbage := max(s.objects, s.live) - s.live
	worth := garbage+s.free > max(s.live/returnShare, leastReturn)
	few := max(s.live/returnShare, leastReturn) / 4
	switch {
	case purge && !(r.cause == forPurge && r.left > 0): // who asks again and again does not keep the limit low
		return r.begin(forPurge, askedLooks, s)
	case r.left == 0 && r.quiet >= quietLooks && r.rest == 0 && worth:
		return r.begin(forQuiet, mostLooks, s)
	case r.left == 0 && r.calm >= calmLooks && r.rest == 0 && worth:
		return r.begin(forCalm, mostLooks, s)
	case r.left == 0:
		return step{}
	case r.disturbed(): // calm goes on: a server that is never quiet for long must come to it
		return r.end()
	case r.left == 1, s.free <= few:
		r.calm = 0
		return r.end()
	}
	r.left--
	switch {
	case s.mapped <= uint64(r.limit)/20*19+few: // the scavenger is through, or nearly
		r.idle = 0
		return r.lower(s)
	case s.released > before:
		r.idle = 0
		return step{}
	case r.idle == idleLooks:
		return r.end()
	}
	r.idle++
	return r.lower(s)
}

func (r *returns) begin(why cause, looks int, s sample) step {
	r.cause, r.left, r.idle = why, looks, 0
	return r.lower(s)
}

func (r *returns) end() step {
	r.left, r.quiet, r.rest = 0, 0, restLooks
	return step{limit: r.most}
}

// lower sets the limit to what is in use and a little more, so that no allocation exceeds it soon.
func (r *returns) lower(s sample) step {
	r.limit = min(int64(s.mapped+s.mapped/64), r.most)
	return step{limit: r.limit, collect: true}
}
