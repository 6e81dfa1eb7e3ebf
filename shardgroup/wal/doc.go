// Package wal is the node's log store: one append-only log that all Raft groups of the node share, so that one
// write and one fdatasync commit the entries of many groups.
//
//	log, err := wal.Open(dir, wal.Options{Fatal: exit})
//	func (l *Log) Group(id slot.GroupID) *GroupLog   // raft.LogStore; the same handle until RemoveGroup
//	func (l *Log) Groups() []slot.GroupID            // those that hold entries
//	func (l *Log) RemoveGroup(id slot.GroupID) error // durable; old handles then answer ErrGroupRemoved
//	func (l *Log) Sync() error
//	func (l *Log) Stats() Stats
//	func (l *Log) Close() error
//
// StoreLogs keeps the entries' Data and Extensions without copying them, and GetLog hands the same bytes out: nobody
// may write to them again.
package wal
