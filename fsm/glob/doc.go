// Package glob matches keys, channels and parameter names against Redis's glob patterns.
//
//   - any bytes, also none
//     ?       any one byte
//     [a-z\]] one byte of a class; [^…] one byte that is not in it
//     \x      the byte x itself
//
// It follows Redis's stringmatchlen to the corner cases (a class that is not closed ends with the pattern, a range
// may be written backwards), but takes at most len(pattern) × len(s) steps: a*a*a*…b is harmless. One difference: a
// pattern of several stars and nothing else matches the empty string here, as * alone does in both. The package is
// pure and allocates nothing.
package glob
