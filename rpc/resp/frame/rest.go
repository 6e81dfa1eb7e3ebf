package frame

import "fmt"

// MaxBulk is the longest argument that is read over: Redis's default proto-max-bulk-len, so what a client of Redis may send.
const MaxBulk = 512 << 20

// TooLong is the error of a command with an argument beyond Limits.Bulk, but not beyond MaxBulk: it cannot be executed, but what
// follows can be read once Rest has read over the rest of it.
type TooLong struct {
	// Bytes is how long the argument is, Limit how long it may be.
	Bytes, Limit int64
	// Head is how much of the buffer comes before the argument and its length; Rest is what follows that.
	Head int
	Rest Rest
}

func (e *TooLong) Error() string {
	return fmt.Sprintf("argument too long: %d bytes, at most %d (proto-max-bulk-len)", e.Bytes, e.Limit)
}

// Rest is the end of a command that is read over, so that the client can send it and gets an answer, and nobody buffers it. The zero
// value is none.
type Rest struct {
	// args is how many arguments are not over yet, bytes how much is left of the first of them and its line's end; 0 before its length
	// was read.
	args  int
	bytes int64
}

// Over reports whether nothing is left.
func (r *Rest) Over() bool { return r.args == 0 }

// Next returns how much of b belongs to the rest and is done with. If it is not over then, it needs more than b.
func (r *Rest) Next(b []byte) (n int, err error) {
	for r.args > 0 {
		if r.bytes == 0 {
			size, end, err := bulkLength(b, n)
			if err != nil || end == 0 {
				return n, err
			}
			if size < 0 || size > MaxBulk {
				return n, Error("invalid bulk length")
			}
			n, r.bytes = end, size+2
		}
		if over := min(r.bytes-2, int64(len(b)-n)); over > 0 {
			n += int(over)
			r.bytes -= over
		}
		for ; r.bytes <= 2 && r.bytes > 0 && n < len(b); n, r.bytes = n+1, r.bytes-1 {
			if b[n] != "\r\n"[2-r.bytes] {
				return n, Error("invalid bulk length")
			}
		}
		if r.bytes > 0 {
			return n, nil
		}
		r.args--
	}
	return n, nil
}
