package frame

import (
	"bytes"
	"strings"
)

// blanks are C's isspace.
const blanks = " \t\n\v\f\r"

// inlineWords splits an inline command as Redis does (sds.c, sdssplitargs) and appends its words to buf: at blanks, with quotes in
// which "\n", "\xHH" and others stand for bytes, and others in which only \' does. The words share one piece of memory no longer than the line.
func inlineWords(line []byte, buf [][]byte) ([][]byte, error) {
	room, sound := make([]byte, 0, len(line)), true
	for {
		if line = bytes.TrimLeft(line, blanks); len(line) == 0 {
			return buf, nil
		}
		start := len(room)
		if room, line, sound = inlineWord(room, line); !sound {
			return nil, Error("unbalanced quotes in request")
		}
		buf = append(buf, room[start:len(room):len(room)])
	}
}

// inlineWord appends the word that line begins with to room. A quote may begin in its midst, and ends it.
func inlineWord(room, line []byte) (_, rest []byte, sound bool) {
	for ; len(line) > 0; line = line[1:] {
		switch c := line[0]; c {
		case ' ', '\t', '\n', '\r':
			return room, line, true
		case '"', '\'':
			return quoted(room, line[1:], c)
		default:
			room = append(room, c)
		}
	}
	return room, nil, true
}

// quoted appends what comes before the closing quote, behind which there must be a blank or nothing.
func quoted(room, line []byte, quote byte) (_, rest []byte, sound bool) {
	for len(line) > 0 {
		switch c := line[0]; {
		case c == quote:
			rest := line[1:]
			return room, rest, len(rest) == 0 || strings.IndexByte(blanks, rest[0]) >= 0
		case c == '\\' && len(line) > 1 && (quote == '"' || line[1] == quote):
			b, n := escaped(line[1:])
			room, line = append(room, b), line[1+n:]
		default:
			room, line = append(room, c), line[1:]
		}
	}
	return room, nil, false
}

// escaped returns the byte for what stands behind a backslash, and the length of that.
func escaped(b []byte) (_ byte, n int) {
	switch b[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'b':
		return '\b', 1
	case 'a':
		return '\a', 1
	case 'x':
		if len(b) > 2 {
			if high, low := hexDigit(b[1]), hexDigit(b[2]); high >= 0 && low >= 0 {
				return byte(high<<4 | low), 3
			}
		}
	}
	return b[0], 1
}

// hexDigit returns the digit's value, or -1.
func hexDigit(c byte) int {
	i := strings.IndexByte("0123456789abcdefABCDEF", c)
	if i > 15 {
		i -= 6
	}
	return i
}
