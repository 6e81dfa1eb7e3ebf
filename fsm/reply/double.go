package reply

import (
	"bytes"
	"math"
	"strconv"
)

// Double writes a floating point number; a bulk string in RESP2.
func (w *Writer) Double(f float64) {
	if w.Discard {
		return
	}
	var room [40]byte
	text := AppendDouble(room[:0], f)
	if w.Proto != 3 {
		w.Bulk(text)
		return
	}
	w.Buf = append(w.Buf, ',')
	w.Buf = append(w.Buf, text...)
	w.crlf()
}

// maxExactInt bounds the integers that Redis prints as integers: d2string's ±2^52.
const maxExactInt = 1 << 52

// AppendDouble appends f as Redis 7.2 prints doubles (d2string, fpconv_dtoa): the shortest digits that read back
// as f, in plain notation where that is not much longer, and an exponent without leading zeros (1e+21, 1e-7).
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case f == 0 && math.Signbit(f):
		return append(dst, "-0"...)
	case math.Abs(f) <= maxExactInt && f == math.Trunc(f):
		return strconv.AppendInt(dst, int64(f), 10)
	}
	if f < 0 {
		dst = append(dst, '-')
	}
	var room [32]byte
	digits, exp := shortest(room[:0], math.Abs(f))
	return layOut(dst, digits, exp)
}

// shortest returns the shortest digits d1d2d3… that identify f > 0, and the exponent: f = d1.d2d3… × 10^exp.
func shortest(room []byte, f float64) (digits []byte, exp int) {
	text := strconv.AppendFloat(room, f, 'e', -1, 64) // d[.ddd]e±dd
	e := bytes.IndexByte(text, 'e')
	for _, c := range text[e+2:] {
		exp = exp*10 + int(c-'0')
	}
	if text[e+1] == '-' {
		exp = -exp
	}
	if e > 1 {
		copy(text[1:], text[2:e])
		e--
	}
	return text[:e], exp
}

// layOut chooses the notation by fpconv's rule. scale is the power of ten of the last digit.
func layOut(dst, digits []byte, exp int) []byte {
	n := len(digits)
	scale := exp - n + 1
	magnitude := max(exp, -exp)
	switch {
	case scale >= 0 && magnitude < n+7:
		dst = append(dst, digits...)
		return appendZeros(dst, scale)
	case scale < 0 && (scale > -7 || magnitude < 4):
		if exp < 0 {
			dst = append(dst, '0', '.')
			dst = appendZeros(dst, -exp-1)
			return append(dst, digits...)
		}
		dst = append(dst, digits[:exp+1]...)
		dst = append(dst, '.')
		return append(dst, digits[exp+1:]...)
	}
	dst = append(dst, digits[0])
	if n > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	sign := byte('+')
	if exp < 0 {
		sign = '-'
	}
	dst = append(dst, 'e', sign)
	return strconv.AppendInt(dst, int64(magnitude), 10)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}
