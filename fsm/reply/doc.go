// Package reply writes RESP2 and RESP3 replies into a byte buffer.
//
// The machine writes replies straight into the buffers of waiting connections; followers, and commands inside
// the log that nobody waits for, write into a Writer with Discard set, which costs nothing. The package is pure.
package reply
