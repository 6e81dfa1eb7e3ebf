package fsm

import "github.com/quorate/quorate/fsm/reply"

// maxOptionName bounds the names of options; "WITHMATCHLEN" is the longest.
const maxOptionName = 16

// optionName is an argument in capitals, or empty if it is too long to be an option.
type optionName struct {
	text [maxOptionName]byte
	n    int
}

func (o *optionName) bytes() []byte { return o.text[:o.n] }

// upper copies an argument in capitals without allocating.
func upper(arg []byte) (o optionName) {
	if len(arg) > maxOptionName {
		return o
	}
	for i, c := range arg {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		o.text[i] = c
	}
	o.n = len(arg)
	return o
}

// is reports whether an argument is an option, in any case. option is in capitals.
func is(arg []byte, option string) bool {
	name := upper(arg)
	return string(name.bytes()) == option
}

// int reads an integer argument. If ok is false, the error has been answered.
func (c *call) int(arg []byte) (n int64, ok bool) {
	if n, ok = parseInt(arg); !ok {
		c.w.Error(reply.NotInteger)
	}
	return n, ok
}
