package wal

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// TestAgainstInmemStore: each group behaves as raft's own store in memory does, whatever the others do, across restarts.
func TestAgainstInmemStore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := new(crashdisk.Disk)
		o := Options{
			FS: d, SegmentBytes: minSegmentBytes, SyncEvery: time.Hour, Fatal: func(err error) { rt.Fatalf("fatal: %v", err) },
			TailBytes:  rapid.SampledFrom([]int64{1, 30 << 10, 1 << 30}).Draw(rt, "tail"),
			Durability: rapid.SampledFrom([]Durability{Always, Interval}).Draw(rt, "durability"),
		}
		l, err := Open("", o)
		must(rt, err)
		defer func() { l.Close() }()
		model := map[slot.GroupID]*raft.InmemStore{1: raft.NewInmemStore(), 2: raft.NewInmemStore(), 3: raft.NewInmemStore()}
		group := rapid.SampledFrom([]slot.GroupID{1, 2, 3})
		pick := func(rt *rapid.T) (*GroupLog, *raft.InmemStore, uint64, uint64) {
			id := group.Draw(rt, "group")
			first, _ := model[id].FirstIndex()
			last, _ := model[id].LastIndex()
			return l.Group(id), model[id], first, last
		}
		rt.Repeat(map[string]func(*rapid.T){
			"store": func(rt *rapid.T) {
				g, m, _, last := pick(rt)
				e := entries(last+1, rapid.IntRange(1, 5).Draw(rt, "n"), rapid.Uint64().Draw(rt, "term"), rapid.IntRange(0, 9000).Draw(rt, "size"))
				must(rt, g.StoreLogs(e))
				must(rt, m.StoreLogs(e))
			},
			"delete prefix": func(rt *rapid.T) {
				g, m, first, last := pick(rt)
				if last == 0 {
					return
				}
				to := rapid.Uint64Range(first, last).Draw(rt, "to")
				must(rt, g.DeleteRange(first, to))
				must(rt, m.DeleteRange(first, to))
			},
			"delete suffix": func(rt *rapid.T) {
				g, m, first, last := pick(rt)
				if last == 0 {
					return
				}
				from := rapid.Uint64Range(first, last).Draw(rt, "from")
				must(rt, g.DeleteRange(from, last))
				must(rt, m.DeleteRange(from, last))
			},
			"restart": func(rt *rapid.T) {
				must(rt, l.Close())
				l, err = Open("", o)
				must(rt, err)
			},
			"remove": func(rt *rapid.T) {
				id := group.Draw(rt, "group")
				must(rt, l.RemoveGroup(id))
				model[id] = raft.NewInmemStore()
			},
			"": func(rt *rapid.T) {
				var filled []slot.GroupID
				for id, m := range model {
					must(rt, holds(l, id, all(rt, m)))
					if last, _ := m.LastIndex(); last > 0 {
						filled = append(filled, id)
					}
				}
				if slices.Sort(filled); !slices.Equal(l.Groups(), filled) {
					rt.Fatalf("groups %v, want %v", l.Groups(), filled)
				}
			},
		})
	})
}

func all(t *rapid.T, m *raft.InmemStore) (out []*raft.Log) {
	first, _ := m.FirstIndex()
	last, _ := m.LastIndex()
	for i := first; i <= last && last > 0; i++ {
		e := new(raft.Log)
		must(t, m.GetLog(i, e))
		out = append(out, e)
	}
	return out
}

// TestWindowAgainstMap: the ring under the index.
func TestWindowAgainstMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var w window[uint64]
		var model []uint64 // indexes; the value of i is i*7
		rt.Repeat(map[string]func(*rapid.T){
			"push": func(rt *rapid.T) {
				next := rapid.Uint64Range(1, 1000).Draw(rt, "start")
				for range rapid.IntRange(1, 200).Draw(rt, "n") {
					if len(model) > 0 {
						next = model[len(model)-1] + 1
					}
					w.push(next, next*7)
					model = append(model, next)
				}
			},
			"drop through": func(rt *rapid.T) {
				last := rapid.Uint64Range(0, 3000).Draw(rt, "last")
				w.dropThrough(last)
				model = slices.DeleteFunc(model, func(i uint64) bool { return i <= last })
			},
			"drop from": func(rt *rapid.T) {
				from := rapid.Uint64Range(0, 3000).Draw(rt, "from")
				w.dropFrom(from)
				model = slices.DeleteFunc(model, func(i uint64) bool { return i >= from })
			},
			"": func(rt *rapid.T) {
				if w.len() != len(model) || len(w.ring) > 64 && len(w.ring) > 16*len(model)+64 {
					rt.Fatalf("%d in a ring of %d, want %d", w.len(), len(w.ring), len(model))
				}
				for _, i := range model {
					if !w.has(i) || *w.at(i) != i*7 {
						rt.Fatalf("index %d: has %v", i, w.has(i))
					}
				}
			},
		})
	})
}
