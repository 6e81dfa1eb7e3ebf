package fsm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// walkPlainly is Redis's way, with a table of numbers.
func walkPlainly(a, b []byte) (common []byte, runs []lcsMatch) {
	cells := make([][]int, len(a)+1)
	cells[0] = make([]int, len(b)+1)
	for i := range a {
		cells[i+1] = make([]int, len(b)+1)
		for j := range b {
			if cells[i+1][j+1] = max(cells[i][j+1], cells[i+1][j]); a[i] == b[j] {
				cells[i+1][j+1] = cells[i][j] + 1
			}
		}
	}
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			i, j = i-1, j-1
			common = append(common, a[i])
			if n := len(runs); n > 0 && runs[n-1].aFirst == i+1 && runs[n-1].bFirst == j+1 {
				runs[n-1].aFirst, runs[n-1].bFirst = i, j
			} else {
				runs = append(runs, lcsMatch{i, i, j, j})
			}
		case cells[i-1][j] > cells[i][j-1]:
			i--
		default:
			j--
		}
	}
	slices.Reverse(common)
	return common, runs
}

// Of several longest subsequences it must be the one that Redis finds.
func TestLCSWalksAsRedisDoes(t *testing.T) {
	g := rand.New(rand.NewPCG(4, 4))
	random := func(letters int) []byte {
		s := make([]byte, g.IntN(300))
		for i := range s {
			s[i] = byte(g.IntN(letters))
		}
		return s
	}
	for range 300 {
		letters := 1 + g.IntN(20)
		a, b := random(letters), random(letters)
		common, runs := newLCSTable(a, b, true).walk()
		wantCommon, wantRuns := walkPlainly(a, b)
		if !bytes.Equal(common, wantCommon) || !reflect.DeepEqual(runs, wantRuns) {
			t.Fatalf("%q and %q: %q in runs %v, want %q in %v", a, b, common, runs, wantCommon, wantRuns)
		}
	}
}

// lcsMachine has two strings of 10,000 bytes.
func lcsMachine() *Machine {
	m := New(Genesis{Slots: []slot.Range{{Last: slot.Count - 1}}})
	for i, c := range []string{"ab", "ba"} {
		m.Begin(uint64(i+1), 1)
		m.Do(&entry.Op{Cmd: command.Set, Args: [][]byte{fmt.Append(nil, "{k}", i), []byte(strings.Repeat(c, 5000))}}, &reply.Writer{})
		m.End()
	}
	return m
}

func lcsOp(options ...string) *entry.Op {
	op := &entry.Op{Cmd: command.Lcs, Args: [][]byte{[]byte("{k}0"), []byte("{k}1")}}
	for _, o := range options {
		op.Args = append(op.Args, []byte(o))
	}
	return op
}

func lcsRead(m *Machine, op *entry.Op) string {
	w := &reply.Writer{}
	m.Read(op, 1, w)
	return string(w.Buf)
}

func TestLCSTakesLittleMemory(t *testing.T) {
	m := lcsMachine()
	for _, c := range []struct {
		options []string
		most    uint64
	}{{nil, 16 << 20}, {[]string{"IDX"}, 16 << 20}, {[]string{"LEN"}, 1 << 20}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		lcsRead(m, lcsOp(c.options...))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > c.most {
			t.Errorf("LCS %v of 10,000 bytes each took %d bytes, want at most %d", c.options, n, c.most)
		}
	}
}

func TestLCSOfReadersIsBounded(t *testing.T) {
	const refused = "-ERR Insufficient memory, transient memory for LCS is taken by other clients, try again\r\n"
	m := lcsMachine()
	lcsMemory.Add(maxLCSMemory - 1<<20)
	defer lcsMemory.Add(1<<20 - maxLCSMemory)
	tx := &entry.Op{Cmd: command.Exec, Tx: &entry.Tx{Ops: []entry.Op{*lcsOp("LEN"), *lcsOp()}}}
	if got := lcsRead(m, lcsOp()); got != refused {
		t.Errorf("%.100q of a reader while others take most", got)
	}
	if got := lcsRead(m, tx); got != "*2\r\n:9999\r\n"+refused {
		t.Errorf("%.100q of a transaction of a reader", got)
	}
	w := &reply.Writer{}
	m.Begin(9, 1)
	m.Do(lcsOp(), w)
	m.End()
	if got := string(w.Buf); !strings.HasPrefix(got, "$9999\r\n") {
		t.Errorf("%.100q in the log", got)
	}
	// What is refused or has ended takes nothing.
	before := lcsMemory.Load()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			lcsRead(m, lcsOp())
			lcsRead(m, lcsOp("LEN"))
			lcsRead(m, tx)
		})
	}
	wg.Wait()
	if now := lcsMemory.Load(); now != before {
		t.Errorf("%d bytes are left behind", now-before)
	}
}

// A writer must not wait until a reader's LCS is computed.
func TestLCSOfReadersHoldsNoLock(t *testing.T) {
	m := lcsMachine()
	op := lcsOp("LEN")
	c := &call{m: m, st: m.current.Load(), w: &reply.Writer{}, op: operationOf(op.Cmd), args: op.Args}
	c.s = c.st.serving(slot.Of(op.Args[0]))
	c.onSlot(false, cmdLCS)
	if len(c.w.Buf) > 0 || c.unlocked == nil {
		t.Fatalf("%q was answered under the lock", c.w.Buf)
	}
	m.Begin(9, 1)
	m.Do(&entry.Op{Cmd: command.Set, Args: [][]byte{op.Args[0], []byte("other")}}, &reply.Writer{})
	m.End()
	if c.unlocked(); string(c.w.Buf) != ":9999\r\n" {
		t.Errorf("%q of what was read before the write", c.w.Buf)
	}
}
