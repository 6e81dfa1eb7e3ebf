//go:build mutation

package wal

// Off has a switch for each guard of this package. A test that shows that it would notice switches one off before it opens a
// log; builds without the tag have no such variable.
var Off = map[string]*bool{"Sync": &offSync, "FailStop": &offFailStop, "Checksum": &offChecksum}

var (
	// StoreLogs returns before the disk has what was stored, with Durability Always too.
	offSync bool
	// A sync that failed counts as one that succeeded.
	offFailStop bool
	// What a power cut has torn is read as if it were whole.
	offChecksum bool
)
