//go:build mutation

package stable

// Off has a switch for each guard of this package. A test that shows that it would notice switches one off before it opens a
// store; builds without the tag have no such variable.
var Off = map[string]*bool{"AtomicVote": &offAtomicVote, "DurableVote": &offDurableVote}

var (
	// A vote is two records, its term and then its candidate (F5 in consensus/DESIGN.md).
	offAtomicVote bool
	// Terms and votes are kept in memory only, so that a node that starts again has forgotten them.
	offDurableVote bool
)
