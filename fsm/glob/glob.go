package glob

// Match reports whether the whole of s matches pattern.
func Match(pattern, s []byte) bool { return match(pattern, s, false) }

// MatchFold is Match without regard to the case of ASCII letters. As in Redis, an escaped byte within a class
// keeps its case.
func MatchFold(pattern, s []byte) bool { return match(pattern, s, true) }

// match needs to come back only to the last star: everything but a star takes exactly one byte, so a later star can
// make up for whatever an earlier one could.
func match(pattern, s []byte, fold bool) bool {
	p, i := 0, 0
	star, resume := -1, 0 // the pattern after the last star, and where in s it was tried last
	for i < len(s) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				p++
				star, resume = p, i
				continue
			}
			if n, ok := one(pattern[p:], s[i], fold); ok {
				p += n
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		p, i = star, resume
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one matches c with the first element of pattern, which is not a star, and returns that element's length.
func one(pattern []byte, c byte, fold bool) (int, bool) {
	switch {
	case pattern[0] == '?':
		return 1, true
	case pattern[0] == '[':
		return class(pattern, c, fold)
	case pattern[0] == '\\' && len(pattern) >= 2:
		return 2, same(pattern[1], c, fold)
	}
	return 1, same(pattern[0], c, fold)
}

// class matches c with the class that pattern starts with and returns the class's length.
func class(pattern []byte, c byte, fold bool) (int, bool) {
	at := 1
	not := at < len(pattern) && pattern[at] == '^'
	if not {
		at++
	}
	found := false
	for at < len(pattern) {
		rest := pattern[at:]
		switch {
		case rest[0] == '\\' && len(rest) >= 2:
			found = found || rest[1] == c
			at += 2
		case rest[0] == ']':
			return at + 1, found != not
		case len(rest) >= 3 && rest[1] == '-':
			found = found || within(rest[0], rest[2], c, fold)
			at += 3
		default:
			found = found || same(rest[0], c, fold)
			at++
		}
	}
	return at, found != not
}

// within orders a range's ends before it folds them, as Redis does: [Z-a] is empty when folded.
func within(low, high, c byte, fold bool) bool {
	low, high = min(low, high), max(low, high)
	if fold {
		low, high, c = lower(low), lower(high), lower(c)
	}
	return low <= c && c <= high
}

func same(a, b byte, fold bool) bool { return a == b || fold && lower(a) == lower(b) }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
