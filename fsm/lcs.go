package fsm

import (
	"encoding/binary"
	"math/bits"
)

// maxLCSCells bounds the dynamic programming table of LCS by what Redis's default proto-max-bulk-len, 512 MiB, holds of its
// uint32. Here that many cells take 16 MiB, or 64 if b is but a byte.
const maxLCSCells = (512 << 20) / 4

// lcsMatch is a run that two strings share: a[aFirst..aLast] equals b[bFirst..bLast], ends included.
type lcsMatch struct{ aFirst, aLast, bFirst, bLast int }

func (m lcsMatch) len() int { return m.aLast - m.aFirst + 1 }

// lcsTable is about L(i, j), the length of the longest common subsequence of a[:i] and b[:j]. It holds one bit per cell, 0 if
// L(i, j) > L(i, j-1): that shows the way back, and one addition makes 64 of them (Hyyrö, "Bit-Parallel LCS-length Computation
// Revisited", 2004).
type lcsTable struct {
	a, b []byte
	// last is the row of all of a.
	last []uint64
	// rows holds the row of a[:i+1] in stride bytes from i*stride on; nil if there is no way back.
	rows   []byte
	stride int
}

// fitsLCS reports whether the table for strings of these lengths is within bounds.
func fitsLCS(a, b int) bool { return uint64(a+1)*uint64(b+1) <= maxLCSCells }

// lcsBytes is about how much memory LCS takes for strings of these lengths: copies of them, where each byte is in b, and rows.
func lcsBytes(a, b int, walk bool) int64 {
	row := int64(b+7) / 8
	rows := min(int64(a), 256) + 1
	if walk {
		rows += int64(a)
	}
	return int64(a) + int64(b) + rows*row
}

// newLCSTable fills a table; only one for walk keeps all of its rows.
func newLCSTable(a, b []byte, walk bool) *lcsTable {
	t := &lcsTable{a: a, b: b, last: make([]uint64, (len(b)+63)/64), stride: (len(b) + 7) / 8}
	for w := range t.last {
		t.last[w] = ^uint64(0)
	}
	if walk {
		t.rows = make([]byte, len(a)*t.stride+8)
	}
	places := placesOf(a, b)
	for i, char := range a {
		t.addRow(places[char])
		if walk {
			// The last word may reach into the next row, which is written later.
			for w, v := range t.last {
				binary.LittleEndian.PutUint64(t.rows[i*t.stride+8*w:], v)
			}
		}
	}
	return t
}

// placesOf says, for each byte of a, where it is in b.
func placesOf(a, b []byte) (places [256][]uint64) {
	for _, char := range a {
		if places[char] == nil {
			places[char] = make([]uint64, (len(b)+63)/64)
		}
	}
	for j, char := range b {
		if p := places[char]; p != nil {
			p[j/64] |= 1 << (j % 64)
		}
	}
	return places
}

// addRow turns last into the row of one more byte, which is at these places of b.
func (t *lcsTable) addRow(places []uint64) {
	carry := uint64(0)
	for w, v := range t.last {
		var sum uint64
		sum, carry = bits.Add64(v, v&places[w], carry)
		t.last[w] = sum | v&^places[w]
	}
}

// grows reports whether L(i, j) > L(i, j-1).
func (t *lcsTable) grows(i, j int) bool {
	return t.rows[(i-1)*t.stride+(j-1)/8]>>((j-1)%8)&1 == 0
}

// length is the length of the longest common subsequence.
func (t *lcsTable) length() (n int) {
	for _, v := range t.last {
		n += bits.OnesCount64(^v)
	}
	return n
}

// walk goes from the ends of both strings to their starts, as Redis does: it gives the subsequence, and the runs of
// adjacent matches from the last to the first.
func (t *lcsTable) walk() (common []byte, runs []lcsMatch) {
	common = make([]byte, t.length())
	idx := len(common)
	i, j := len(t.a), len(t.b)
	open := false
	for i > 0 && j > 0 {
		if t.a[i-1] != t.b[j-1] {
			open = false
			// Redis goes up if L(i-1, j) > L(i, j-1). As the greater of them is L(i, j), that is the same.
			if t.grows(i, j) {
				i--
			} else {
				j--
			}
			continue
		}
		idx--
		i, j = i-1, j-1
		common[idx] = t.a[i]
		if open {
			runs[len(runs)-1].aFirst, runs[len(runs)-1].bFirst = i, j
		} else {
			runs = append(runs, lcsMatch{i, i, j, j})
		}
		open = true
	}
	return common, runs
}
