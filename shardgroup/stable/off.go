//go:build !mutation

package stable

// The guards that a build with the tag "mutation" can switch off; off_mutation.go says what each one is for. Here they are
// constants, so that nothing of them is left in the program.
const (
	offAtomicVote  = false
	offDurableVote = false
)
