// Package shardgroup is one replica of one shard group: a Raft replica whose state machine is the cache.
//
// A Group owns its goroutines, and Close waits for them: the batcher, which joins the commands of many connections into
// one log entry; the observer of leadership; after a power cut the one that decides when to vote again; digests and reads
// that wait; and those of its Raft replica (package consensus). Reads go past the log, through consensus's read gate.
package shardgroup
