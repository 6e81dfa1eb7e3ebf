package frame

import (
	"bytes"
	"fmt"

	"github.com/tidwall/redcon"
)

// MaxLine bounds an inline command and the line of a length, in bytes, as Redis's PROTO_INLINE_MAX_SIZE does.
const MaxLine = 64 << 10

// MaxArgs bounds the arguments of one command.
const MaxArgs = 1 << 20

// Limits is what one connection may send in one command.
type Limits struct {
	// Bulk bounds one argument in bytes.
	Bulk int64
	// Unauthenticated applies Redis's limits for a client that has not said who it is: 10 arguments of 16 KiB.
	Unauthenticated bool
}

// Redis's bounds before AUTH: networking.c, "unauthenticated multibulk length".
const (
	unauthArgs = 10
	unauthBulk = 16 << 10
)

// Error is a protocol error with Redis's text. The connection cannot be read any further.
type Error string

func (e Error) Error() string { return "Protocol error: " + string(e) }

// Scanner finds the end of the command at the start of a buffer. It remembers how far it has looked, so that a
// command that arrives in many pieces is looked at once. The zero value is ready.
type Scanner struct {
	// pos is how much of the command is known to be sound; the next unread byte is there.
	pos int
	// args is how many arguments are still to come; 0 before the count was read.
	args int
}

// Next returns the length of the command that b starts with, or 0 if b does not hold all of it. want is then the
// length that b must reach before another call can tell more. The error is an Error or a *TooLong.
func (s *Scanner) Next(b []byte, lim Limits) (n, want int, err error) {
	if s.args == 0 {
		if len(b) == 0 {
			return 0, 1, nil
		}
		if b[0] != '*' {
			return inline(b)
		}
		count, end, err := number(b, 1, "mbulk count string", "invalid multibulk length")
		if err != nil || end == 0 {
			return 0, len(b) + 1, err
		}
		if err := checkCount(count, lim); err != nil {
			return 0, 0, err
		}
		if count <= 0 {
			return end, 0, nil
		}
		s.pos, s.args = end, int(count)
	}
	return s.bulks(b, lim)
}

// bulks walks over the arguments that are left.
func (s *Scanner) bulks(b []byte, lim Limits) (n, want int, err error) {
	for s.args > 0 {
		size, end, err := bulkLength(b, s.pos)
		if err != nil || end == 0 {
			return 0, max(len(b), s.pos) + 1, err
		}
		if err := checkBulk(size, lim); err != nil {
			return 0, 0, err
		}
		if size > lim.Bulk {
			long := &TooLong{Bytes: size, Limit: lim.Bulk, Head: s.pos, Rest: Rest{args: s.args}}
			*s = Scanner{}
			return 0, 0, long
		}
		end += int(size)
		if len(b) < end+2 {
			return 0, end + 2, nil
		}
		if b[end] != '\r' || b[end+1] != '\n' {
			return 0, 0, Error("invalid bulk length")
		}
		s.pos = end + 2
		s.args--
	}
	n = s.pos
	*s = Scanner{}
	return n, 0, nil
}

// bulkLength reads the line ahead of an argument at b[from:], and returns the argument's length and where it begins; 0 if the line's
// end is not there yet.
func bulkLength(b []byte, from int) (size int64, end int, err error) {
	if from >= len(b) {
		return 0, 0, nil
	}
	if b[from] != '$' {
		return 0, 0, Error(fmt.Sprintf("expected '$', got '%c'", printable(b[from])))
	}
	return number(b, from+1, "bulk count string", "invalid bulk length")
}

func checkCount(count int64, lim Limits) error {
	if count > MaxArgs {
		return Error("invalid multibulk length")
	}
	if lim.Unauthenticated && count > unauthArgs {
		return Error("unauthenticated multibulk length")
	}
	return nil
}

func checkBulk(size int64, lim Limits) error {
	if size < 0 || size > MaxBulk {
		return Error("invalid bulk length")
	}
	if lim.Unauthenticated && size > unauthBulk {
		return Error("unauthenticated bulk length")
	}
	return nil
}

// inline finds the end of a command that was typed as plain words.
func inline(b []byte) (n, want int, err error) {
	if b[0] == '$' {
		// Tile38's own protocol, which redcon would speak.
		return 0, 0, Error("expected '*', got '$'")
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 && len(b) > MaxLine || end > MaxLine {
		return 0, 0, Error("too big inline request")
	}
	return end + 1, len(b) + 1, nil
}

// number reads the decimal at b[from:] and returns it and the offset behind its line; offset 0 if the line's end
// is not there yet. what and bad name the two ways it can be wrong.
func number(b []byte, from int, what, bad string) (v int64, end int, err error) {
	i := from
	neg := i < len(b) && b[i] == '-'
	if neg {
		i++
	}
	first := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9' && i-first < 12; i++ {
		v = v*10 + int64(b[i]-'0')
	}
	switch {
	case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' && i > first && (b[first] != '0' || i == first+1):
		if neg {
			v = -v
		}
		return v, i + 2, nil
	case i == len(b) || i+1 == len(b) && b[i] == '\r':
		return 0, 0, nil
	case bytes.IndexByte(b[from:], '\n') < 0 && len(b)-from <= MaxLine:
		// Wrong already, but Redis answers when the line is complete.
		return 0, 0, nil
	case bytes.IndexByte(b[from:], '\n') < 0:
		return 0, 0, Error("too big " + what)
	}
	return 0, 0, Error(bad)
}

func printable(c byte) byte {
	if c < ' ' || c > '~' {
		return '?'
	}
	return c
}

// Args slices the arguments of one command that Next found. They alias frame, but for those of inline commands.
// No arguments (an empty line, a count of zero) means: nothing to do.
func Args(frame []byte, buf [][]byte) ([][]byte, error) {
	switch {
	case frame[0] != '*':
		return inlineWords(frame, buf[:0])
	case len(frame) > 2 && (frame[1] == '-' || frame[1] == '0'):
		return buf[:0], nil
	}
	complete, args, _, _, err := redcon.ReadNextCommand(frame, buf)
	if err != nil {
		return nil, Error(bytes.TrimPrefix([]byte(err.Error()), []byte("Protocol error: ")))
	}
	if !complete {
		return nil, Error("invalid request")
	}
	return args, nil
}
