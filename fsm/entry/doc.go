// Package entry is the content of a group's log entries: the leader's time and the commands of many connections,
// with their one binary form.
//
// Everything that changes a machine is in an entry: time, commands, evictions, limits. The package is pure; its
// decoder takes bytes from disk and from peers and never trusts them. What decodes can be executed: every command
// is in the table and has as many arguments as it takes. The encoder refuses what the decoder would, because an
// entry that is committed and cannot be decoded stops a whole group.
//
// # Format, version 1
//
//	offset  bytes
//	0       1      magic 'Q'
//	1       1      version
//	2       4      CRC-32C of all other bytes, little endian
//	6       8      Now, Unix ms, little endian
//	14      8      Batch, little endian
//	22      4      number of ops, little endian
//	26      …      ops
//
//	op      = uvarint command id, uvarint number of arguments, arguments; after EXEC also a transaction
//	tx      = uvarint number of watches, watches, uvarint number of ops, ops (none of them EXEC or internal)
//	watch   = bytes key, uvarint version
//	bytes   = uvarint length, that many bytes; an argument is bytes
//
// A uvarint is as in encoding/binary and must be in its shortest form, so that an entry has only one encoding.
package entry
