package heap

import (
	"bytes"
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{
		0:         mostPercent,
		1 << 20:   mostPercent,
		64 << 20:  100,
		128 << 20: 50,
		512 << 20: 12,
		16 << 30:  12,
	} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes alive: %d, want %d", live, got, want)
		}
	}
}

const mb = 1 << 20

// machine is a heap as the keeper sees and changes it.
type machine struct {
	sample
	k     keeper
	limit int64
	// steps counts collections, mends how often huge pages were to be made again.
	steps, mends int
	// forgets counts how often what waits to be made huge was to be given up.
	forgets int
	mend    mend
	// work is what is done between two looks.
	work time.Duration
	// barren is how many collections let nothing be returned.
	barren int
}

const unlimited = math.MaxInt64

func newMachine(s sample) *machine {
	m := &machine{sample: s, k: keeper{percent: 100, returns: returns{most: unlimited}}, limit: unlimited}
	m.mapped = m.objects + m.free
	return m
}

// look is a second, in which so many bytes were allocated and overwritten, and the scavenger has done a part of what it should.
func (m *machine) look(allocated uint64, purge bool) (percent int) {
	m.allocated += allocated
	m.at = m.at.Add(time.Second)
	m.worked += m.work
	s := m.k.look(m.sample, purge)
	if s.limit != 0 {
		m.limit = s.limit
	}
	switch {
	case s.mend == nil:
	case s.mend.forget:
		m.forgets++
	default:
		m.mends++
		m.mend = *s.mend
	}
	if s.collect {
		m.steps++
		m.free += m.objects - m.live
		m.objects = m.live
	}
	if m.limit < unlimited && m.steps > m.barren {
		goal := uint64(m.limit) / 20 * 19
		back := min(m.mapped-min(goal, m.mapped), m.free, 30*mb)
		m.free -= back
		m.mapped -= back
		m.released += back
	}
	return s.percent
}

func TestMemoryIsReturnedInSteps(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 700 * mb, free: 150 * mb})
	if percent := m.look(0, false); percent != 12 {
		t.Fatalf("first look: GOGC %d", percent)
	}
	for range 20 {
		if m.look(50*mb, false); m.steps > 0 {
			t.Fatal("returns memory under load")
		}
	}
	for range 40 {
		before := m.mapped
		m.look(mb/2, false)
		if m.limit < unlimited && uint64(m.limit) < m.mapped {
			t.Fatalf("a limit of %d MB with %d MB in use: the next allocation gives back all that is over it", m.limit/mb, m.mapped/mb)
		}
		if before-m.mapped > 30*mb {
			t.Fatalf("%d MB at once", (before-m.mapped)/mb)
		}
	}
	if m.free > 10*mb || m.mapped > 650*mb || m.limit != unlimited || m.steps < 3 {
		t.Errorf("%d MB free of %d MB, limit %d, %d steps", m.free/mb, m.mapped/mb, m.limit, m.steps)
	}
	// Soon there is something to return again. It waits for its time.
	m.free += 200 * mb
	m.mapped += 200 * mb
	steps, looks := m.steps, 0
	for ; m.steps == steps; looks++ {
		if m.look(mb/2, false); looks > 2*restLooks {
			t.Fatal("returns nothing any more")
		}
	}
	if looks < restLooks/2 {
		t.Errorf("returned memory again after %d looks", looks)
	}
	// Load ends it.
	if m.look(50*mb, false); m.limit != unlimited {
		t.Error("the limit stays while the server is busy")
	}
}

// Go's scavenger may find nothing after a collection and much after the next one, or nothing at all.
func TestACollectionThatReturnsNothingIsFollowed(t *testing.T) {
	for barren, want := range map[int]uint64{idleLooks: 20 * mb, 1000: 200 * mb} {
		m := newMachine(sample{live: 640 * mb, objects: 640 * mb, free: 200 * mb})
		m.barren = barren
		for range quietLooks + 30 {
			m.look(mb/2, false)
		}
		if m.free > want || m.limit != unlimited || m.steps < idleLooks+1 || barren == 1000 && m.steps > idleLooks+1 {
			t.Errorf("nothing returned by %d collections: %d MB free in the end, limit %d, after %d steps", barren, m.free/mb, m.limit, m.steps)
		}
	}
}

// What a return gives up is looked for again, also if it has returned next to nothing.
func TestWhatWasGivenUpIsMended(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 641 * mb, free: mb})
	m.look(10*mb, true)
	m.work = 80 * time.Millisecond
	for range 2 * askedLooks {
		m.look(mb/2, false)
	}
	if m.forgets == 0 || m.mends != 1 {
		t.Errorf("given up %d times, %d mends, want one", m.forgets, m.mends)
	}
}

func TestHugePagesAreMadeAgainOnceThereIsWork(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 700 * mb, free: 150 * mb})
	m.look(0, false)
	m.until(t, mb/2, func() bool { return m.limit != unlimited })
	m.until(t, mb/2, func() bool { return m.limit == unlimited })
	if m.released < 100*mb || m.limit != unlimited {
		t.Fatalf("returned %d MB, limit %d", m.released/mb, m.limit)
	}
	if m.mends > 0 || m.forgets != m.steps {
		t.Fatalf("%d mends on a quiet server that returns memory, what waits was given up %d times in %d steps", m.mends, m.forgets, m.steps)
	}
	m.work = 80 * time.Millisecond // reads
	if m.look(0, false); m.mends != 1 {
		t.Fatalf("%d mends when there is work", m.mends)
	}
	for range 4 * mendRest {
		if m.look(50*mb, false); m.mends != 1 {
			t.Fatal("mends what nobody returned since")
		}
	}
	for range 4 * mendRest {
		m.released += 10 * mb
		m.look(50*mb, false)
	}
	if m.mends < 4 || m.mends > 5 {
		t.Errorf("%d mends in %d looks", m.mends-1, 4*mendRest)
	}
	// Work that comes in the midst of a return ends it.
	m.work, m.mends = 0, 0
	m.free, m.mapped = 300*mb, m.objects+300*mb
	m.until(t, mb/2, func() bool { return m.limit != unlimited })
	m.look(mb/2, false)
	m.work = 80 * time.Millisecond
	if m.look(mb/2, false); m.mends != 1 || m.limit != unlimited {
		t.Errorf("%d mends, limit %d, when there is work in the midst of a return", m.mends, m.limit)
	}
	// What is returned beside work is not filled meanwhile.
	m.free, m.mends = 300*mb, 0
	m.mapped = m.objects + m.free
	m.look(50*mb, true)
	m.until(t, 50*mb, func() bool {
		if m.mends > 0 && m.limit != unlimited {
			t.Fatal("mends while memory is returned")
		}
		return m.limit == unlimited
	})
	for range mendRest {
		m.look(50*mb, false)
	}
	if m.mends != 1 || m.mend != (mend{spare: 80 * mb, mapped: m.mapped}) {
		t.Errorf("%d mends after memory was returned beside work, the last one %+v", m.mends, m.mend)
	}
}

// What was needed and returned again between two bursts is in small pages, though as much is returned as before.
func TestShortBurstsAreMended(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 700 * mb})
	m.released = 200 * mb
	m.work = 80 * time.Millisecond
	m.look(mb/2, false)
	for burst := range 3 {
		m.work, m.released, m.mends = 0, m.released-50*mb, 0
		for range mendRest {
			m.look(mb/2, false)
		}
		m.released += 50 * mb
		m.look(mb/2, false)
		m.work = 80 * time.Millisecond
		if m.look(mb/2, false); m.mends != 1 {
			t.Errorf("%d mends in burst %d", m.mends, burst)
		}
	}
}

func TestWithALimitAMendAddsNothing(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 700 * mb})
	m.k.returns.most = 2048 * mb
	m.work = 80 * time.Millisecond
	m.look(mb/2, false)
	m.released = 200 * mb
	if m.look(mb/2, false); m.mends != 1 || m.mend.spare != 0 {
		t.Errorf("%d mends, %+v", m.mends, m.mend)
	}
}

func TestWaitEndsEarlyForWorkAndForWhoAsks(t *testing.T) {
	select {
	case <-asked: // by another test
	default:
	}
	glance := make(chan time.Time, 2*glances)
	k := &keeper{}
	waits := func(took int, wantPurge bool) {
		t.Helper()
		for len(glance) < cap(glance) {
			glance <- time.Time{}
		}
		if purge, ok := k.wait(t.Context(), glance, time.Second); purge != wantPurge || !ok || cap(glance)-len(glance) != took {
			t.Errorf("purge %v, ok %v after %d glances, want %v after %d", purge, ok, cap(glance)-len(glance), wantPurge, took)
		}
	}
	k.returns.since(worked(), time.Now())
	k.returns.last.worked += time.Hour // no work since then
	k.returns.quiet = 1
	waits(glances, false)
	k.returns.last.worked -= 2 * time.Hour
	waits(1, false)
	k.returns.quiet = 0
	waits(glances, false)
	for len(glance) > 0 {
		<-glance
	}
	Purge()
	if purge, ok := k.wait(t.Context(), glance, time.Second); !purge || !ok {
		t.Errorf("purge %v, ok %v when somebody has asked", purge, ok)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := k.wait(ctx, glance, time.Second); ok {
		t.Error("goes on when the context has ended")
	}
}

// until looks until done reports so.
func (m *machine) until(t *testing.T, allocated uint64, done func() bool) {
	t.Helper()
	for looks := 0; !done(); looks++ {
		if m.look(allocated, false); looks > 2*(restLooks+mostLooks) {
			t.Fatal("never")
		}
	}
}

func TestWorkWakesWhoWasQuiet(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 640 * mb, free: 150 * mb})
	m.look(mb/2, false)
	wakes := func(work time.Duration) bool { return m.k.returns.wakes(m.worked+work, time.Second) }
	for range quietLooks + 3 { // into the return
		if !wakes(80 * time.Millisecond) {
			t.Error("a look's work before the next look does not wake")
		}
		if wakes(50 * time.Millisecond) {
			t.Error("wakes for what a look would not call work")
		}
		m.look(mb/2, false)
	}
	m.work = 80 * time.Millisecond
	m.look(mb/2, false)
	if wakes(time.Second) {
		t.Error("wakes again and again while there is work")
	}
}

// Reads allocate nothing, and still are work that collections would hold up. But memory is not kept for ever.
func TestReadsAreNoQuiet(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 640 * mb, free: 150 * mb})
	m.work = 80 * time.Millisecond
	looks := 0
	for ; m.steps == 0; looks++ {
		if m.look(mb/2, false); looks > 2*calmLooks {
			t.Fatal("never returns memory beside reads")
		}
	}
	if looks < calmLooks-1 {
		t.Errorf("returned memory beside reads after %d looks", looks)
	}
	for range mostLooks {
		m.look(mb/2, false)
	}
	if m.free > 10*mb || m.limit != unlimited {
		t.Errorf("%d MB free, limit %d: reads have ended it", m.free/mb, m.limit)
	}
	// Once it is quiet, that is no longer waited for.
	m.free += 200 * mb
	m.mapped += 200 * mb
	m.work = 10 * time.Millisecond
	m.steps, looks = 0, 0
	for ; m.steps == 0; looks++ {
		if m.look(mb/2, false); looks > 2*restLooks {
			t.Fatal("does not return memory when it is quiet")
		}
	}
	// What began in the quiet ends with it, and if that is never long, goes on beside reads.
	m.work = 80 * time.Millisecond
	if m.look(mb/2, false); m.limit != unlimited {
		t.Error("the limit stays while the server is busy")
	}
	for looks = 0; m.limit == unlimited || m.k.returns.cause != forCalm; looks++ {
		m.work = 80 * time.Millisecond
		if looks%(2*restLooks) < quietLooks+3 { // so that one begins
			m.work = 0
		}
		if m.look(mb/2, false); looks > 2*calmLooks {
			t.Fatal("short rests keep it from returning memory")
		}
	}
}

// Overwriting 100,000 small values a second is no rest for a server, however much it holds. But who asks gets what there is.
func TestABusyServerReturnsWhenAsked(t *testing.T) {
	m := newMachine(sample{live: 2048 * mb, objects: 2200 * mb, free: 100 * mb})
	for range 2 * restLooks {
		if m.look(10*mb, false); m.steps > 0 {
			t.Fatal("returns memory under load")
		}
	}
	m.look(10*mb, true)
	for range 2 * askedLooks {
		m.look(10*mb, false)
	}
	if m.free > 20*mb || m.limit != unlimited {
		t.Errorf("%d MB free, limit %d", m.free/mb, m.limit)
	}
	if m.k.returns.left != 0 {
		t.Error("it goes on")
	}
}

func TestALimitOfSomebodyElseStays(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 700 * mb, free: 150 * mb})
	m.k.returns.most, m.limit = 500*mb, unlimited
	m.look(0, true)
	if m.limit != 500*mb {
		t.Errorf("a limit of %d MB where 500 was set", m.limit/mb)
	}
	for range 2 * askedLooks {
		m.look(0, false)
	}
	if m.limit != 500*mb {
		t.Errorf("a limit of %d MB stays where 500 was set", m.limit/mb)
	}
}

func TestSmallChangesAreLeftAlone(t *testing.T) {
	k := keeper{percent: 12}
	if s := k.look(sample{live: 600 * mb}, false); s.percent != 0 {
		t.Errorf("a small change sets %d", s.percent)
	}
	if s := k.look(sample{live: 100 * mb}, false); s.percent != 64 {
		t.Errorf("a small heap gets %d", s.percent)
	}
	k.fixed = true
	if s := k.look(sample{live: 640 * mb}, false); s.percent != 0 {
		t.Errorf("overrides the environment by %d", s.percent)
	}
}

func TestReadSeesTheHeap(t *testing.T) {
	before := read()
	held := make([]byte, 8<<20)
	after := read()
	for end := time.Now().Add(10 * time.Second); after.worked < before.worked+5*time.Millisecond; after = read() {
		clear(held)
		if time.Now().After(end) {
			t.Fatalf("10 s of work are %v", after.worked-before.worked)
		}
	}
	if !after.at.After(before.at) {
		t.Errorf("%v and then %v", before.at, after.at)
	}
	if after.allocated-before.allocated < uint64(len(held)) || after.objects < uint64(len(held)) || after.mapped < uint64(len(held)) {
		t.Errorf("8 MiB were allocated: %+v, %+v", before, after)
	}
}

// TestKeepReturnsMemory is with the real heap: memory that held something comes back to the system, and the limit goes. So much
// else is alive that Go by itself would keep it.
func TestKeepReturnsMemory(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	live := make([][]byte, 40_000)
	for i := range live {
		live[i] = bytes.Repeat([]byte{1}, 8<<10)
	}
	clear(live[30_000:])
	defer runtime.KeepAlive(live)
	runtime.GC()
	before := read()
	if before.free < 60*mb {
		t.Fatalf("%d MB are free to return, want 80", before.free/mb)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keep(ctx, 50*time.Millisecond) }()
	Purge()
	for end := time.Now().Add(30 * time.Second); read().free > leastReturn; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d MB of %d are free after 30 s", read().free/mb, before.free/mb)
		}
	}
	cancel()
	<-done
	if limit := debug.SetMemoryLimit(-1); limit != was {
		t.Errorf("a limit of %d bytes stays", limit)
	}
}
