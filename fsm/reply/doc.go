// Package reply writes RESP2 and RESP3 replies into a byte buffer.
//
// The machine writes replies straight into the buffers of waiting connections; followers, and commands inside
// the log that nobody waits for, write into a Writer with Discard set, which costs nothing. The package is pure
// and allocates nothing beyond the growth of the caller's buffer.
//
// The error texts that several commands share are constants here, so that they are Redis's to the letter in one
// place: clients match on the first word, and some of them on more.
package reply
