//go:build mutation

package fsm

// Off has a switch for each guard of this package. A test that shows that it would notice switches one off before it makes a
// machine; builds without the tag have no such variable.
var Off = map[string]*bool{
	"ClockMaximum": &offClockMaximum, "SnapshotClock": &offSnapshotClock, "LogTime": &offLogTime,
	"EvictionVersion": &offEvictionVersion, "WatchVersion": &offWatchVersion, "WatchGone": &offWatchGone,
	"Ownership": &offOwnership, "CopyOnWrite": &offCopyOnWrite,
}

var (
	// The machine's clock takes each entry's time, also if that lies before it.
	offClockMaximum bool
	// A restored snapshot's clock is forgotten: the machine begins with time 0.
	offSnapshotClock bool
	// A reader's own clock decides what has expired, and nobody asks for an entry that says so to all.
	offLogTime bool
	// An eviction takes a key that was written after it had been chosen.
	offEvictionVersion bool
	// EXEC does not compare the versions of watched keys.
	offWatchVersion bool
	// EXEC compares the versions of watched keys, but takes one that expired or was evicted for unchanged.
	offWatchGone bool
	// A group serves every slot, whoever has them.
	offOwnership bool
	// A snapshot shares the tables with the entries that are applied while it is written.
	offCopyOnWrite bool
)
