package fsm

// A record's access word is local to a replica: reads are not logged, so it is neither in the digest nor equal on
// replicas, and nothing that Do decides may depend on it. It holds one of two things, by eviction policy:
//
//	LRU: the time of the last access, in units of idleUnit
//	LFU: minutes<<8 | counter, where counter is Redis's logarithmic counter and minutes the time of its last decay
//
// As in Redis, the words are not rewritten when the policy changes between LRU and LFU; they adjust as keys are used.

const (
	// idleUnit is the resolution of idle times, ms. 32 bits of it wrap after 13 years.
	idleUnit = 100

	// Redis's defaults: a new key starts at lfuInit so that it has a chance to be used before it is evicted, the chance
	// to count a further access is 1/(counter-lfuInit)*lfuLogFactor+1, and an idle key loses one per lfuDecay minutes.
	lfuInit      = 5
	lfuLogFactor = 10
	lfuDecay     = 1
	lfuMax       = 255

	msPerMinute = 60_000
)

// idleWord is the LRU access word at a time.
func idleWord(now int64) uint32 { return uint32(now / idleUnit) }

// idleMillis is how long ago word was written. A word from the future (the wall clock went back) counts as just used.
func idleMillis(word uint32, now int64) int64 {
	d := int32(idleWord(now) - word)
	return max(int64(d), 0) * idleUnit
}

// lfuWord is the LFU access word with a counter at a time.
func lfuWord(counter uint32, now int64) uint32 {
	return uint32(now/msPerMinute)&0xffff<<8 | counter
}

// lfuCount is word's counter after the decay that is due.
func lfuCount(word uint32, now int64) uint32 {
	counter := word & lfuMax
	minutes := (uint32(now/msPerMinute) - word>>8) & 0xffff
	return counter - min(counter, minutes/lfuDecay)
}

// lfuTouched is word after one more access: decayed, then counted up with a chance that falls with the counter.
func lfuTouched(word uint32, now int64, r *rng) uint32 {
	counter := lfuCount(word, now)
	if counter < lfuMax {
		over := uint64(counter) - min(uint64(counter), lfuInit)
		if r.below(over*lfuLogFactor+1) == 0 {
			counter++
		}
	}
	return lfuWord(counter, now)
}
