// Package shardgroup is one replica of one shard group: a Raft replica whose state machine is the cache.
//
// A Group owns its goroutines: the batcher, which joins the commands of many connections into one log entry, and
// those of its Raft replica (package consensus). Reads go past the log, through consensus's read gate.
package shardgroup
