package heap

import "testing"

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

func TestKeeper(t *testing.T) {
	const mb = 1 << 20
	busy := sample{live: 640 * mb, objects: 700 * mb, free: 50 * mb}
	k := keeper{percent: 100}
	if percent, release := k.look(busy); percent != 12 || release {
		t.Fatalf("first look: %d, %v", percent, release)
	}
	for range 20 {
		busy.allocated += 50 * mb
		if percent, release := k.look(busy); percent != 0 || release {
			t.Fatalf("busy: %d, %v", percent, release)
		}
	}
	quiet := busy
	released := 0
	for range 20 {
		quiet.allocated += mb
		if _, release := k.look(quiet); release {
			released++
			quiet.objects, quiet.free = quiet.live, mb
		}
	}
	if released != 1 {
		t.Errorf("released %d times", released)
	}
	// Soon there is something to return again. It waits for its time.
	again, looks := quiet, 20
	again.free = 200 * mb
	for release := false; !release; looks++ {
		if looks > 2*restLooks {
			t.Fatal("returns nothing any more")
		}
		again.allocated += mb
		_, release = k.look(again)
	}
	if looks < restLooks {
		t.Errorf("returned memory twice in %d looks", looks)
	}
	// Overwriting 100,000 small values a second is no rest for a server, however much it holds.
	writing := sample{live: 2048 * mb, objects: 2200 * mb, free: 100 * mb}
	w := keeper{percent: 12}
	for range 2 * restLooks {
		writing.allocated += 10 * mb
		if _, release := w.look(writing); release {
			t.Fatal("returns memory under load")
		}
	}
	small := quiet
	small.live = 600 * mb
	if percent, _ := k.look(small); percent != 0 {
		t.Errorf("a small change sets %d", percent)
	}
	small.live = 100 * mb
	if percent, _ := k.look(small); percent != 64 {
		t.Errorf("a small heap gets %d", percent)
	}
	k.fixed = true
	if percent, _ := k.look(busy); percent != 0 {
		t.Errorf("overrides the environment by %d", percent)
	}
}

func TestReadSeesTheHeap(t *testing.T) {
	before := read()
	held := make([]byte, 8<<20)
	after := read()
	if after.allocated-before.allocated < uint64(len(held)) || after.objects < uint64(len(held)) {
		t.Errorf("8 MiB were allocated: %+v, %+v", before, after)
	}
	if before.live == 0 && after.live == 0 {
		t.Log("no collection yet")
	}
}
