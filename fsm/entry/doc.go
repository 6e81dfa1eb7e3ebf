// Package entry is the content of a group's log entries: the leader's time and the commands of many connections,
// with their one binary form.
//
// Everything that changes a machine is in an entry: time, commands, evictions, limits. The package is pure; its
// decoder takes bytes from disk and from peers and never trusts them.
package entry
