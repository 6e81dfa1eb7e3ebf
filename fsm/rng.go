package fsm

// rng is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). The machine has no
// random source: every rng is seeded from state or by the caller, so that what it decides can be replayed.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below gives a number in [0, n). The bias of the modulo is under n/2^64, which sampling does not notice.
func (r *rng) below(n uint64) uint64 { return r.next() % n }
