package fsm

// maxLCSCells bounds the dynamic programming table of LCS by Redis's default proto-max-bulk-len, 512 MiB of uint32.
const maxLCSCells = (512 << 20) / 4

// lcsMatch is a run that two strings share: a[aFirst..aLast] equals b[bFirst..bLast], ends included.
type lcsMatch struct{ aFirst, aLast, bFirst, bLast int }

func (m lcsMatch) len() int { return m.aLast - m.aFirst + 1 }

// lcsTable holds at cell(i, j) the length of the longest common subsequence of a[:i] and b[:j].
type lcsTable struct {
	a, b  []byte
	cells []uint32
}

// fitsLCS reports whether the table for strings of these lengths is within bounds.
func fitsLCS(a, b int) bool { return uint64(a+1)*uint64(b+1) <= maxLCSCells }

func newLCSTable(a, b []byte) *lcsTable {
	t := &lcsTable{a: a, b: b, cells: make([]uint32, (len(a)+1)*(len(b)+1))}
	width := len(b) + 1
	for i := 1; i <= len(a); i++ {
		above, row := t.cells[(i-1)*width:i*width], t.cells[i*width:(i+1)*width]
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				row[j] = above[j-1] + 1
			} else {
				row[j] = max(above[j], row[j-1])
			}
		}
	}
	return t
}

func (t *lcsTable) cell(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

// length is the length of the longest common subsequence.
func (t *lcsTable) length() int { return int(t.cells[len(t.cells)-1]) }

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
			if t.cell(i-1, j) > t.cell(i, j-1) {
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
