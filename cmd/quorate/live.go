package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// liveTable shows lines that change: in place on a terminal, and now and then as one line elsewhere.
type liveTable struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	shown int
	last  time.Time
}

// Paces of the display.
const (
	livePace = 200 * time.Millisecond
	linePace = 30 * time.Second
)

func newLiveTable(w io.Writer) *liveTable {
	t := &liveTable{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		t.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return t
}

// show replaces the lines.
func (t *liveTable) show(lines []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pace := linePace
	if t.terminal {
		pace = livePace
	}
	if time.Since(t.last) < pace {
		return
	}
	t.last = time.Now()
	if !t.terminal {
		fmt.Fprintln(t.w, strings.Join(lines, "; "))
		return
	}
	t.erase()
	for _, l := range lines {
		fmt.Fprintf(t.w, "%s\x1b[K\n", l)
	}
	t.shown = len(lines)
}

// erase goes back to where the lines began. mu is held.
func (t *liveTable) erase() {
	if t.shown > 0 {
		fmt.Fprintf(t.w, "\x1b[%dA\x1b[J", t.shown)
		t.shown = 0
	}
}

// say prints something that stays, above the lines.
func (t *liveTable) say(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.erase()
	fmt.Fprint(t.w, text)
}

// done takes the lines away.
func (t *liveTable) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.erase()
}
