// Package wal is the node's log store: one append-only log that all Raft groups of the node share, so that one
// write and one fdatasync commit the entries of many groups.
package wal
