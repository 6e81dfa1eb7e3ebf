// Package frame finds where a client's command ends in a growing buffer, and refuses it as soon as it breaks a
// limit, before its bytes are buffered.
//
// The arguments themselves are sliced by redcon's ReadNextCommand, which is only handed frames that are known to be
// whole and sound: on its own it looks at a command from the start again with each read, panics on a negative
// bulk length, and knows no limits. Inline commands it splits in other ways than Redis, with memory for each word that the rest of the line
// would fit in (1 GB for a line of 64 KB), so inline.go does that.
package frame
