//go:build !mutation

package fsm

// The guards that a build with the tag "mutation" can switch off; off_mutation.go says what each one is for. Here they are
// constants, so that nothing of them is left in the program.
const (
	offClockMaximum    = false
	offSnapshotClock   = false
	offLogTime         = false
	offEvictionVersion = false
	offWatchVersion    = false
	offWatchGone       = false
	offOwnership       = false
	offCopyOnWrite     = false
)
