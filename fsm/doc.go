// Package fsm is the replicated cache: a pure machine from (log entry, state) to (replies, state).
//
// Every replica of a group that applies the same entries holds the same state, byte for byte of its digest. So
// the package has no clock, no I/O, no goroutine, no random source and no knowledge of Raft: time, evictions and
// limits come in through the log. One goroutine applies; any number of goroutines read, under the slots' read locks.
//
// # An operation's way
//
// Do and Read look the command up in operations (dispatch.go), find its slot, lock that slot's shard and run the command
// on a call, whose primitives (find, put, remove, setDeadline …, call.go) are all that commands are made of: they hide
// expired keys, give every change a version of its own, keep the account of memory, mark what snapshots share and tell
// the observer. A data type is a kind (kind.go), a file of commands and a map from ids to them.
//
// # Waiting for memory
//
// Among more keys than caches hold, most of an operation's time is spent waiting for memory: for the slot, its page, the
// page's index and the record, one after the other. So many operations wait together. Ahead tells the machine what an entry
// holds, and it fetches what the next ops need before it executes them; ReadAll does the same for a pipeline of reads,
// whose slots it holds meanwhile (it never waits for a lock while it holds others). With a million keys this makes a GET 2.3
// times cheaper and a SET 2.1 times.
//
// # What decides and what does not
//
// The state (state.go) is what entries lead to: clock, version counter, limits, ownership and keys. It is in snapshots
// and in the digest. Access statistics are beside it: readers change them without a log entry, so they may only advise,
// which is what Victims does for the leader; an eviction takes effect as an op in the log, if the key's version is unchanged.
//
// # The limit
//
// A command that may use memory (Redis's flag denyoom) is executed only if memory stays within the limit or does not grow
// (room.go). Its arguments bound how much it can add; only where that is more than there is room for, the command is
// measured: it runs with primitives that change nothing and add up. So the decision depends on the state alone, is
// exact, and costs one comparison where there is no limit and a look at the arguments where there is room.
//
// # Time
//
// The machine's clock is the highest time that an entry carried, and it alone decides whether a key has expired. A reader
// whose own clock says otherwise gets NeedAdvance instead of a reply. So no clock can bring back what was seen expired.
package fsm
