package shardgroup

import (
	"math"
	"time"

	"github.com/quorate/quorate/fsm/entry"
)

// maxVictims bounds the keys that one entry evicts: it takes some milliseconds to apply that many.
const maxVictims = 2048

// addPrefix puts ahead of the batch what the leader has to say itself: a new limit, or the evictions that make room for it.
//
// One entry evicts only so much. What it does not make room for is left to the next entries, of which some may evict and
// nothing else; as calls are served in order, nobody else fills that room meanwhile. A write is refused only if nothing is
// left to evict.
func (g *Group) addPrefix(b *batch) {
	limits := g.machine.Limits()
	if want := g.limit.Load(); want != nil && *want != limits {
		// Alone, because the room for the calls depends on it.
		b.prefix = append(b.prefix, entry.Limit(*want))
		g.gather(b, 0)
		return
	}
	if limits.MaxMemory == 0 || limits.Policy == entry.NoEviction || offEvictionInLog {
		return
	}
	limit := int64(min(limits.MaxMemory, math.MaxInt64))
	growth, used := b.growth(g.machine, limit), g.machine.Memory()
	if growth <= limit-used {
		return
	}
	victims, freed, ok := g.machine.Victims(growth, maxVictims, max(b.now, g.machine.Now()), b.id)
	if !ok {
		g.nextHunt = time.Now().Add(huntPause)
		return
	}
	if room := limit - used + freed; growth > room {
		g.gather(b, g.fitting(b, limit, room, freed))
	}
	size := victims.Size()
	if b.size+size > entry.MaxBytes { // a key of megabytes beside a large write
		g.gather(b, 0)
	}
	b.prefix = append(b.prefix, victims)
	b.size += size
	g.stats.evictions.Add(uint64(len(victims.Args) / 2))
}

// fitting is how many ops of a batch go with evictions that free so much and leave room. While memory is far over a limit that
// was lowered, writes get half of what is freed, so that it falls; and one that takes more is refused, because to wait until
// memory is within the limit would hold up all others for too long.
func (g *Group) fitting(b *batch, limit, room, freed int64) int {
	if room < 0 {
		return max(b.fitting(g.machine, limit, freed/2), 1)
	}
	return b.fitting(g.machine, limit, room)
}
