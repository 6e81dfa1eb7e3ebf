package bubble

import (
	"math/bits"
	randv2 "math/rand/v2"
	"reflect"
	"runtime"
	"unsafe" // for linkname too
)

// cheaprand is the runtime's generator for decisions that must be quick: which ready case select takes, and which of the
// timers of one instant fires first. getm is the present thread's part of the runtime, where the generator's state is. The
// runtime promises to keep both reachable (go.dev/issue/67401).
//
//go:linkname cheaprand runtime.cheaprand
func cheaprand() uint32

//go:linkname getm runtime.getm
func getm() unsafe.Pointer

// The generator is wyrand (runtime/rand.go).
const (
	wyStep = 0xa0761d6478bd642f
	wyMask = 0xe7037ed1a0b428db
	// mWords is how many words of getm's are looked at; it has that many, and the state is the 206th with Go 1.26.
	mWords = 256
)

// wyrand is what the generator returns when it has come to a state.
func wyrand(state uint64) uint32 {
	hi, lo := bits.Mul64(state, state^wyMask)
	return uint32(hi ^ lo)
}

// cheapState finds the generator's state, by what the generator returns: nil if this runtime keeps it elsewhere.
func cheapState() (found *uint64) {
	words := unsafe.Slice((*uint64)(getm()), mWords)
	x := cheaprand()
	for i := range words {
		if wyrand(words[i]) != x {
			continue
		}
		before := words[i]
		if y := cheaprand(); words[i] == before+wyStep && wyrand(words[i]) == y {
			return &words[i]
		}
		return nil
	}
	return nil
}

// align sets the runtime's random numbers to where the seed wants them, whatever was drawn so far: the garbage collector,
// the start of a thread and the way to here draw some. False: it cannot.
//
// The other stream, that of rand/v2 and of maps, is only brought to behind the next number that ends in so many zero bits.
// Few are ever drawn from it by the way; if they were n, the place is another one in n of 2^bits cases.
func align(seed uint64, zeros int) bool {
	state := cheapState()
	if state == nil {
		return false
	}
	*state = seed
	ones := uint64(1)<<zeros - 1
	for randv2.Uint64()&ones != 0 {
	}
	return true
}

// lookups is more than enough to push everything else out of a cache of 16 places with random replacement.
const lookups = 1000

// wipe fills the thread's cache of what belongs to which address of the program, of which the start of the process has left
// something or other. Whatever is looked for and not there costs a random number.
func wipe() {
	// Addresses that nobody has looked for, so that each of them misses.
	base := reflect.ValueOf(reflect.DeepEqual).Pointer()
	for i := range uintptr(lookups) {
		pc := base + 8*i
		if f := runtime.FuncForPC(pc); f != nil {
			f.FileLine(pc)
		}
	}
}
