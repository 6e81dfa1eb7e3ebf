package reply

import "strconv"

// Writer appends replies to Buf. The zero value writes RESP2.
type Writer struct {
	Buf []byte
	// Proto is the RESP version of the waiting connection: 3, or anything else for 2.
	Proto int8
	// Limit is how many bytes one reply may have before the rest of its parts is left out (Full); 0: any.
	Limit int
	// Hits and Misses count the values of MGETs that were there, and that were not: one cannot see that from outside at no cost.
	Hits, Misses uint64
	// Discard makes every method do nothing.
	Discard bool
}

// Full reports whether the reply that began at Buf[start] is so long that what is still to come is to be left out: as LeftOut.
// A short command may ask for very much, an MGET for one large value a million times.
func (w *Writer) Full(start int) bool { return w.Limit > 0 && len(w.Buf)-start > w.Limit }

// OK writes the status reply +OK.
func (w *Writer) OK() { w.raw("+OK\r\n") }

// Simple writes a status reply. CR and LF in text become spaces, as they would end the reply.
func (w *Writer) Simple(text string) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, '+')
	w.Buf = appendLine(w.Buf, text)
	w.crlf()
}

// Int writes an integer reply.
func (w *Writer) Int(n int64) { w.number(':', n) }

// Bulk writes a bulk string.
func (w *Writer) Bulk(b []byte) {
	if w.Discard {
		return
	}
	w.number('$', int64(len(b)))
	w.Buf = append(w.Buf, b...)
	w.crlf()
}

// BulkString writes a bulk string.
func (w *Writer) BulkString(s string) {
	if w.Discard {
		return
	}
	w.number('$', int64(len(s)))
	w.Buf = append(w.Buf, s...)
	w.crlf()
}

// BulkInt writes n as a bulk string of decimal digits.
func (w *Writer) BulkInt(n int64) {
	if w.Discard {
		return
	}
	var digits [20]byte
	w.Bulk(strconv.AppendInt(digits[:0], n, 10))
}

// Null writes "no such value".
func (w *Writer) Null() {
	if w.Proto == 3 {
		w.raw("_\r\n")
		return
	}
	w.raw("$-1\r\n")
}

// NullArray writes "no such array", as EXEC does after a broken WATCH. RESP3 has only one null.
func (w *Writer) NullArray() {
	if w.Proto == 3 {
		w.raw("_\r\n")
		return
	}
	w.raw("*-1\r\n")
}

// Array starts an array of n replies.
func (w *Writer) Array(n int) { w.number('*', int64(n)) }

// Map starts a map of n pairs: the caller writes 2n replies, key before value. RESP2 gets a flat array.
func (w *Writer) Map(n int) {
	if w.Proto == 3 {
		w.number('%', int64(n))
		return
	}
	w.Array(2 * n)
}

// Set starts a set of n replies; an array in RESP2.
func (w *Writer) Set(n int) { w.aggregate('~', n) }

// Push starts an out-of-band message of n replies; an array in RESP2, where it may be sent only to a connection
// that subscribed.
func (w *Writer) Push(n int) { w.aggregate('>', n) }

// Bool writes a boolean; 1 or 0 in RESP2.
func (w *Writer) Bool(b bool) {
	switch {
	case w.Proto == 3 && b:
		w.raw("#t\r\n")
	case w.Proto == 3:
		w.raw("#f\r\n")
	case b:
		w.raw(":1\r\n")
	default:
		w.raw(":0\r\n")
	}
}

// Verbatim writes text that a human reads (INFO, CLUSTER NODES); a bulk string in RESP2.
func (w *Writer) Verbatim(text []byte) {
	if w.Proto != 3 || w.Discard {
		w.Bulk(text)
		return
	}
	w.number('=', int64(len(text)+len("txt:")))
	w.Buf = append(w.Buf, "txt:"...)
	w.Buf = append(w.Buf, text...)
	w.crlf()
}

func (w *Writer) aggregate(resp3 byte, n int) {
	if w.Proto != 3 {
		resp3 = '*'
	}
	w.number(resp3, int64(n))
}

func (w *Writer) number(kind byte, n int64) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, kind)
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
	w.crlf()
}

func (w *Writer) raw(s string) {
	if !w.Discard {
		w.Buf = append(w.Buf, s...)
	}
}

func (w *Writer) crlf() { w.Buf = append(w.Buf, '\r', '\n') }

// appendLine appends s with CR and LF replaced, so that text from a client cannot forge a reply.
func appendLine[S ~string | ~[]byte](dst []byte, s S) []byte {
	for i := range len(s) {
		c := s[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}
