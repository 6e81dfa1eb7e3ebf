package resp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWhoWaitsHoldsNothing: a connection that waits for input has neither a run nor buffers, the next one uses the same, and what
// nobody needs is forgotten.
func TestWhoWaitsHoldsNothing(t *testing.T) {
	withRingAndWithout(t, func(t *testing.T, w *world) {
		w.dial(t).expect("+OK\r\n", "SET", "k", "v")
		l, a, theirsA := loopOfOne(t, w)
		b, theirsB := l.connected(t)
		ask := func(c *conn, theirs int) {
			t.Helper()
			transmit(t, theirs, array("GET", "k")+array("PING"))
			turn(l, event{fd: c.seat.fd, readable: true})
			if got := string(drained(t, theirs)); got != "$1\r\nv\r\n+PONG\r\n" {
				t.Errorf("got %q", got)
			}
			if c.run != nil || c.in.buf != nil || c.out != nil {
				t.Errorf("a connection that waits has run %v, a read buffer of %d, an output buffer of %d", c.run, len(c.in.buf), cap(c.out))
			}
		}
		ask(a, theirsA)
		ask(b, theirsB)
		ask(a, theirsA)
		if runs, inboxes, outs := len(l.runs.list), len(l.inboxes.list), len(l.outs.list); runs != 1 || inboxes != 1 || outs != 1 {
			t.Errorf("two connections, one after the other, needed %d runs, %d read buffers, %d output buffers", runs, inboxes, outs)
		}
		for range 2 {
			l.lookAround()
		}
		if n := len(l.runs.list) + len(l.inboxes.list) + len(l.outs.list); n != 0 {
			t.Errorf("%d things were kept that nobody needs", n)
		}
	})
}

// TestCallsUnderWayKeepTheirRun: a run is not lent to another connection before its replies are sent.
func TestCallsUnderWayKeepTheirRun(t *testing.T) {
	withRingAndWithout(t, func(t *testing.T, w *world) {
		g := w.groups[1]
		hold := make(chan struct{})
		g.set(func() { g.hold = hold })
		l, a, theirsA := loopOfOne(t, w)
		b, theirsB := l.connected(t)
		transmit(t, theirsA, array("SET", "k", "of a"))
		turn(l, event{fd: a.seat.fd, readable: true})
		mine := a.run
		if mine == nil || !a.asks() {
			t.Fatal("the call is not under way")
		}
		transmit(t, theirsB, array("PING"))
		turn(l, event{fd: b.seat.fd, readable: true})
		if got := string(drained(t, theirsB)); got != "+PONG\r\n" {
			t.Errorf("b got %q", got)
		}
		if a.run != mine || len(l.runs.list) != 1 || l.runs.list[0] == mine {
			t.Error("the run was lent, or taken back, while its call is under way")
		}
		close(hold)
		for mine.pending.Load() > 0 {
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
		l.drive(a)
		l.sendStaged()
		if got := string(drained(t, theirsA)); got != "+OK\r\n" || a.run != nil {
			t.Errorf("a got %q, its run is %p", got, a.run)
		}
	})
}

// TestWorkCollectsInALentBuffer: commands that are executed beside the loop, one after the other, collect their replies in the same
// array, and those without a reply leave it to the next.
func TestWorkCollectsInALentBuffer(t *testing.T) {
	withRingAndWithout(t, func(t *testing.T, w *world) {
		l, c, theirs := loopOfOne(t, w)
		for range 3 {
			transmit(t, theirs, array("CLIENT", "GETNAME")+array("CLIENT", "REPLY", "SKIP")+array("PING"))
			for turn(l, event{fd: c.seat.fd, readable: true}); c.seat.away; turn(l) {
				comeBack(t, l)
			}
			if got := string(drained(t, theirs)); got != "$-1\r\n" {
				t.Errorf("got %q", got)
			}
			if c.out != nil || len(l.outs.list) != 1 {
				t.Errorf("the connection has an output buffer of %d, %d are spare", cap(c.out), len(l.outs.list))
			}
		}
	})
}

// comeBack waits for work beside a loop that does not run, and has the loop look at its connection.
func comeBack(t *testing.T, l *loop) {
	t.Helper()
	await(t, "the end of the work", func() bool { return !l.mayPark() })
	posted, _ := l.takePosted(nil)
	for _, c := range posted {
		l.look(c)
	}
}

// TestGrownBuffersGo: a read buffer that has grown is kept while commands come that need it, and dropped when none has come for a
// while; one that would shrink at the next read is dropped at once.
func TestGrownBuffersGo(t *testing.T) {
	withRingAndWithout(t, func(t *testing.T, w *world) {
		l, c, theirs := loopOfOne(t, w)
		echo := func(size int) []byte {
			t.Helper()
			for rest := array("ECHO", strings.Repeat("v", size)); rest != ""; {
				part := rest[:min(len(rest), 32<<10)]
				transmit(t, theirs, part)
				turn(l, event{fd: c.seat.fd, readable: true})
				rest = rest[len(part):]
			}
			for len(drained(t, theirs)) > 0 {
				turn(l, event{fd: c.seat.fd})
			}
			if !c.waitsForInput() {
				t.Error("not all is answered")
			}
			return c.in.buf
		}
		large := echo(100 << 10)
		for range 3 {
			l.lookAround()
			if again := echo(100 << 10); len(again) == 0 || &again[0] != &large[0] {
				t.Errorf("another buffer, of %d bytes, holds the next large command", len(again))
			}
		}
		for range 2 {
			echo(1) // does not need it
			l.lookAround()
		}
		if c.in.buf != nil || len(l.inboxes.list) != 0 {
			t.Errorf("a connection that waits has a buffer of %d bytes, %d are spare", len(c.in.buf), len(l.inboxes.list))
		}
		if left := echo(inboxKeep + 1); left != nil {
			t.Errorf("%d bytes were kept", len(left))
		}
		// What came of a command is not dropped while the rest is awaited.
		half := array("ECHO", strings.Repeat("v", 100<<10))[:90<<10]
		echo(100 << 10)
		for _, part := range []string{half[:45<<10], half[45<<10:]} {
			transmit(t, theirs, part)
			turn(l, event{fd: c.seat.fd, readable: true})
		}
		for range 3 {
			l.lookAround()
		}
		if got := len(c.in.bytes()); got != len(half) {
			t.Errorf("%d bytes are left of %d", got, len(half))
		}
	})
}

// TestSpareRunsHoldNothingRead: a run that is taken back refers to nothing of what its connection has read, be it that a command was
// looked at and not executed.
func TestSpareRunsHoldNothingRead(t *testing.T) {
	for name, text := range map[string]string{
		"held back by a pause":        array("SET", "k", "v"),
		"not to be executed together": array("PING") + array("CLIENT", "GETNAME"),
		"not to be understood":        "SET k \"v\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, ioThreads(0), withoutRing)
			w.srv.pause.set(time.Now().Add(time.Hour), false)
			l, c, theirs := loopOfOne(t, w)
			for _, each := range []string{array("PING"), text} {
				transmit(t, theirs, each)
				for turn(l, event{fd: c.seat.fd, readable: true}); c.seat.away; turn(l) {
					comeBack(t, l)
				}
			}
			if len(l.runs.list) != 1 {
				t.Fatalf("%d runs are spare", len(l.runs.list))
			}
			words := l.runs.list[0].words
			for i, word := range words[:cap(words)] {
				if word != nil {
					t.Errorf("word %d is %q", i, word)
				}
			}
		})
	}
}

// TestWhoHasEndedHoldsNothing: a connection that was killed leaves what it was lent, though there are replies that it has not sent, or not
// looked at, and input that it has not executed. Its loop does not know it any more.
func TestWhoHasEndedHoldsNothing(t *testing.T) {
	withRingAndWithout(t, func(t *testing.T, w *world) {
		w.dial(t).expect("+OK\r\n", "SET", "big", strings.Repeat("v", maxKeptOut/2))
		hold := make(chan struct{})
		g := w.groups[1]
		l, clogged, theirsC := loopOfOne(t, w)
		thinks, theirsT := l.connected(t)
		g.set(func() { g.hold = hold })
		transmit(t, theirsC, array("PING"))
		transmit(t, theirsT, array("SET", "k", "v")+array("PING")[:9])
		turn(l, event{fd: clogged.seat.fd, readable: true}, event{fd: thinks.seat.fd, readable: true})
		transmit(t, theirsC, strings.Repeat(array("GET", "big")+array("PING"), 9))
		for range 9 {
			turn(l, event{fd: clogged.seat.fd, readable: true})
		}
		if !thinks.asks() || clogged.pendingOut() == 0 {
			t.Fatalf("a call is under way: %v, a client is to take %d bytes", thinks.asks(), clogged.pendingOut())
		}
		close(hold)
		await(t, "the reply", func() bool { return thinks.run.pending.Load() == 0 })
		l.kill(clogged)
		l.kill(thinks)
		comeBack(t, l)
		for name, c := range map[string]*conn{"clogged": clogged, "thinking": thinks} {
			if !c.seat.ended || c.run != nil || c.in.buf != nil || c.out != nil {
				t.Errorf("%s: ended %v, has run %p, a read buffer of %d, an output buffer of %d", name, c.seat.ended, c.run, len(c.in.buf), cap(c.out))
			}
		}
		if n := len(l.inboxes.list); n != 2 {
			t.Errorf("%d read buffers of 2 are spare", n)
		}
		for name, list := range map[string][]*conn{"parties": l.parties, "staged": l.staged, "seats": l.seats} {
			if slices.ContainsFunc(list[:cap(list)], func(c *conn) bool { return c != nil }) {
				t.Errorf("the loop's %s still has connections", name)
			}
		}
	})
}
