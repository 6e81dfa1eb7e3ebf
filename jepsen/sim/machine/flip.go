package machine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// Flip inverts a bit of a file, as a worn disk does, while no process runs. It says which one and how to invert it back; what is
// "" if there is nothing to flip. The newest file of a log is spared: at its end, damage looks like a write that the power cut
// short. So is the stable store, whose format here is not the real one.
func (m *Machine) Flip(rng *rand.Rand) (what string, back func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []spot
	for _, folder := range m.folders() {
		all = append(all, spots(folder, m.disks[folder])...)
	}
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		all = append(all, spot{name: name, used: int64(len(m.files[name]))})
	}
	if len(all) == 0 {
		return "", func() {}
	}
	at := all[rng.IntN(len(all))]
	at.offset, at.bit = rng.Int64N(at.used), uint(rng.IntN(8))
	m.flip(at)
	return fmt.Sprintf("%s/%s at %d of %d", at.folder, at.name, at.offset, at.used), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.flip(at)
	}
}

// spot is a file that is worth damaging, and a bit of it. Without a folder it is one of placement's.
type spot struct {
	folder, name string
	// used is how long the file is without the zeros at its end.
	used, offset int64
	bit          uint
}

// flip needs mu. A file that is gone since takes its damage along.
func (m *Machine) flip(s spot) {
	if s.folder == "" {
		m.files[s.name] = slices.Clone(m.files[s.name]) // a reader may have it
		if s.offset < int64(len(m.files[s.name])) {
			m.files[s.name][s.offset] ^= 1 << s.bit
		}
		return
	}
	if names, _ := m.disks[s.folder].List(); slices.Contains(names, s.name) {
		m.disks[s.folder].Flip(s.name, s.offset, s.bit)
	}
}

// spots are a disk's snapshots, and its log's files but for the newest.
func spots(folder string, d *crashdisk.Disk) (out []spot) {
	names, _ := d.List() // in order
	var segments, files []string
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, ".snap"):
			files = append(files, name)
		case strings.HasSuffix(name, ".wal"):
			segments = append(segments, name)
		}
	}
	if len(segments) > 1 {
		files = append(files, segments[:len(segments)-1]...)
	}
	for _, name := range files {
		if n := used(d, name); n > 0 {
			out = append(out, spot{folder: folder, name: name, used: n})
		}
	}
	return out
}

func used(d *crashdisk.Disk, name string) int64 {
	f, err := d.Open(name)
	if err != nil {
		return 0
	}
	size, _ := f.Size() // both never fail where Open did not
	b := make([]byte, size)
	_, _ = f.ReadAt(b, 0)
	for size > 0 && b[size-1] == 0 {
		size--
	}
	return size
}
