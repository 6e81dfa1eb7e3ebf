package resp

import (
	"bytes"
	"strconv"
)

// replyLen is the length of the reply at the start of b, which a machine wrote and which is therefore sound.
func replyLen(b []byte) int {
	line := bytes.IndexByte(b, '\n') + 1
	n, _ := strconv.Atoi(string(b[1:max(line-len("\r\n"), 1)]))
	switch b[0] {
	case '$', '=', '!':
		if n < 0 {
			return line
		}
		return line + n + len("\r\n")
	case '%', '|':
		n *= 2
	case '*', '~', '>':
	default:
		return line
	}
	for range n {
		line += replyLen(b[line:])
	}
	return line
}

// elements cuts an array reply into its elements; nil if b is no array.
func elements(b []byte) [][]byte {
	if len(b) == 0 || b[0] != '*' {
		return nil
	}
	line := bytes.IndexByte(b, '\n') + 1
	var out [][]byte
	for b = b[line:]; len(b) > 0; {
		n := replyLen(b)
		out = append(out, b[:n])
		b = b[n:]
	}
	return out
}

// integer is the value of an integer reply.
func integer(b []byte) (int64, bool) {
	if len(b) < len(":0\r\n") || b[0] != ':' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b[1:len(b)-2]), 10, 64)
	return n, err == nil
}

// bulk is the content of a bulk reply.
func bulk(b []byte) []byte {
	line := bytes.IndexByte(b, '\n') + 1
	if len(b) < line+2 || b[0] != '$' {
		return nil
	}
	return b[line : len(b)-2]
}

// watchVersion reads the machine's answer to WATCH of one key.
func watchVersion(b []byte) (uint64, bool) {
	e := elements(b)
	if len(e) != 1 {
		return 0, false
	}
	n, ok := integer(e[0])
	return uint64(n), ok
}
