package fsm

import (
	"math/big"
	"strconv"
	"strings"
)

// maxIntDigits is the length of "-9223372036854775808", the longest integer.
const maxIntDigits = 20

// parseInt reads b as Redis's string2ll does: the one canonical decimal form of an int64. No plus sign, no leading
// zero, no space, no "-0"; so a value that parses prints back as the same bytes.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > maxIntDigits {
		return 0, false
	}
	neg, digits := b[0] == '-', b
	if neg {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' {
		return 0, len(b) == 1 && b[0] == '0'
	}
	var u uint64
	for _, c := range digits {
		// 20 digits may pass 2^64; one more digit after u > MaxUint64/10 would wrap.
		if c < '0' || c > '9' || u > (1<<63)/10 {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	if neg {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u < 1<<63
}

// appendInt appends n in the form that parseInt reads.
func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// x87 long double, which Redis's INCRBYFLOAT computes in on x86-64: 64 bits of mantissa, and the bounds of its exponent.
const (
	floatMantissa = 64
	floatMaxExp   = 16384  // values of 2^16384 and over are infinite
	floatMinExp   = -16445 // the smallest denormal is 2^-16445
	maxFloatBytes = 5*1024 - 1
)

// parseFloat reads b as Redis's string2ld does, which is C's strtold over the whole of b: decimal or hexadecimal, with
// an optional sign, no space, no NaN, and an error if the value over- or underflows a long double. Infinity parses.
//
// big.Float with a long double's mantissa stands for long double: the result is the same on every CPU, and equal to
// Redis's on x86-64 but for denormals, which keep their full mantissa here.
func parseFloat(b []byte) (*big.Float, bool) {
	if len(b) == 0 || len(b) > maxFloatBytes {
		return nil, false
	}
	s := strings.ToLower(string(b))
	sign := ""
	if s[0] == '+' || s[0] == '-' {
		sign, s = s[:1], s[1:]
	}
	if s == "inf" || s == "infinity" {
		return new(big.Float).SetInf(sign == "-"), true
	}
	base, expMark, digits := 10, byte('e'), "0123456789"
	if strings.HasPrefix(s, "0x") {
		s, base, expMark, digits = s[2:], 16, 'p', "0123456789abcdef"
	}
	if !floatShape(s, expMark, digits) {
		return nil, false
	}
	f, _, err := big.ParseFloat(sign+s, base, floatMantissa, big.ToNearestEven)
	if err != nil || !inFloatRange(f) {
		return nil, false
	}
	// An underflow to zero inside big.Float is an error, a zero that was written is not.
	mantissa, _, _ := strings.Cut(s, string(expMark))
	return f, f.Sign() != 0 || strings.Trim(mantissa, "0.") == ""
}

// floatShape reports whether s is digits with at most one dot, and then perhaps a signed decimal exponent. It refuses what
// big.ParseFloat reads and strtold does not (other exponent marks, underscores).
func floatShape(s string, expMark byte, digits string) bool {
	mantissa, exp, marked := strings.Cut(s, string(expMark))
	whole, frac, _ := strings.Cut(mantissa, ".")
	if whole+frac == "" || strings.Trim(whole, digits) != "" || strings.Trim(frac, digits) != "" {
		return false
	}
	if !marked {
		return true
	}
	if exp != "" && (exp[0] == '+' || exp[0] == '-') {
		exp = exp[1:]
	}
	return exp != "" && strings.Trim(exp, "0123456789") == ""
}

// inFloatRange reports whether f is zero or within a long double's range.
func inFloatRange(f *big.Float) bool {
	if f.IsInf() {
		return false
	}
	// MantExp's mantissa is in [0.5, 1), so 2^n has exponent n+1.
	exp := f.MantExp(nil)
	return f.Sign() == 0 || exp <= floatMaxExp && exp > floatMinExp
}

// appendFloat appends f as Redis prints a long double for people: 17 digits after the dot, without trailing zeros.
func appendFloat(b []byte, f *big.Float) []byte {
	start := len(b)
	b = f.Append(b, 'f', 17)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if string(b[start:]) == "-0" {
		b = append(b[:start], '0')
	}
	return b
}
