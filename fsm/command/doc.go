// Package command is the command table as data: names, stable ids, arity, flags, key positions, categories
// and documentation of every command Quorate knows. COMMAND answers from it, the front end routes by it, the
// log encodes commands by its ids and the machine dispatches on them. The package is pure and executes nothing
// but COMMAND itself.
//
// # Adding a command
//
// Give it an id in ids.go (below 1000 if a machine executes it) and a Spec in the table file of its group, then run
// go test -update to pin the id in testdata/ids.txt. The other tests hold the Spec against a captured redis-server
// 7.0.15, which shares most facts with the Redis 7.2 that Quorate reports; where it must differ, the tests list the
// difference and its reason. Summaries are ours, as some commands do something else here (CLUSTER MEET refuses).
//
// # Arguments and words
//
// A container's subcommand is named by two words. Everywhere args means the arguments after these words, while
// arity and key positions count the words too, as Redis does: OBJECT ENCODING has arity 3 and its key at 2.
package command
