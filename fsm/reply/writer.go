package reply

// Writer appends replies to Buf. The zero value writes RESP2.
type Writer struct {
	Buf []byte
	// Proto is the RESP version of the waiting connection: 3, or anything else for 2.
	Proto int8
	// Discard makes every method do nothing.
	Discard bool
}
