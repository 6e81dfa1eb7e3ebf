package bubble

import (
	randv2 "math/rand/v2"
	_ "unsafe" // for linkname
)

// cheaprand is the runtime's generator for decisions that must be quick: which ready case select takes, and which of the
// timers of one instant fires first. The runtime promises to keep it reachable (go.dev/issue/67401).
//
//go:linkname cheaprand runtime.cheaprand
func cheaprand() uint32

// align brings the runtime's two streams of random numbers to a place that does not depend on how many were drawn so far: to
// behind the next one that ends in so many zero bits. A few more or fewer may have been: the start of a thread costs some,
// and so does the garbage collector's work. If they were n, the place is another one in n of 2^bits cases.
func align(bits int) {
	ones := uint64(1)<<bits - 1
	for randv2.Uint64()&ones != 0 {
	}
	for uint64(cheaprand())&ones != 0 {
	}
}
