//go:build mutation

package shardgroup

// Off has a switch for each guard of this package. A test that shows that it would notice switches one off before it opens a
// group; builds without the tag have no such variable.
var Off = map[string]*bool{
	"LogTime": &offLogTime, "EvictionInLog": &offEvictionInLog, "Outcome": &offOutcome, "ReadIndex": &offReadIndex,
}

var (
	// Each replica applies an entry at the time that its own clock shows.
	offLogTime bool
	// Each replica evicts what it has seen least of itself, behind each entry, instead of what the leader has logged.
	offEvictionInLog bool
	// Clients are told that a command whose fate is not known was not applied.
	offOutcome bool
	// A follower answers linearizable reads from what it has, without asking the leader how far it must be.
	offReadIndex bool
)
