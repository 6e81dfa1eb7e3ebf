package heap

const (
	// quietLooks is after how many looks in a row with few allocations a server is quiet.
	quietLooks = 3
	// quietShare and quietBytes say what few is: this part of what is alive and so many bytes between two looks. SETs that
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
)

// returns gives memory that holds nothing back to the system, when a server has become quiet, and a little at a time.
//
// debug.FreeOSMemory gives all of it back in one go, in which the goroutine's processor does nothing else: 600 MB took 120 to 230 ms
// on an idle machine. On a busy one, a SET took 733 ms just as a node with 20 million keys gave 280 MB back: longer than
// others wait before they elect another leader. Go's scavenger does it beside everything else, with 1 % of a processor, but only behind 95 % of a
// memory limit, and an allocation that exceeds the limit gives back all that is over it at once. So the limit goes down in steps
// of 3.5 %, each time to what is in use; the collection of each step is what wakes the scavenger.
type returns struct {
	// most is the limit that somebody else has set.
	most      int64
	allocated uint64
	quiet     int
	// rest is how many looks must pass before the next return, left how many this one may still take; 0: none is under way.
	rest, left int
	asked      bool
	limit      int64
}

func (r *returns) look(s sample, purge bool) step {
	if s.allocated-r.allocated <= s.live/quietShare+quietBytes {
		r.quiet++
	} else {
		r.quiet = 0
	}
	r.allocated = s.allocated
	r.rest = max(r.rest-1, 0)
	garbage := max(s.objects, s.live) - s.live
	worth := garbage+s.free > max(s.live/returnShare, leastReturn)
	few := max(s.live/returnShare, leastReturn) / 4
	switch {
	case purge && !(r.asked && r.left > 0): // who asks again and again does not keep the limit low
		r.left, r.asked = askedLooks, true
		return r.lower(s)
	case r.left == 0 && r.quiet >= quietLooks && r.rest == 0 && worth:
		r.left, r.asked = mostLooks, false
		return r.lower(s)
	case r.left == 0:
		return step{}
	case r.left == 1, s.free <= few, r.quiet == 0 && !r.asked:
		r.left, r.quiet, r.rest = 0, 0, restLooks
		return step{limit: r.most}
	}
	r.left--
	if s.mapped <= uint64(r.limit)/20*19+few { // the scavenger is through, or nearly
		return r.lower(s)
	}
	return step{}
}

// lower sets the limit to what is in use and a little more, so that no allocation exceeds it soon.
func (r *returns) lower(s sample) step {
	r.limit = min(int64(s.mapped+s.mapped/64), r.most)
	return step{limit: r.limit, collect: true}
}
