package crashdisk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// WriteSync is the operation of disk.SyncWriter that a Hook sees.
const WriteSync Op = "write synced"

// Direct is d with files that are SyncWriters.
func (d *Disk) Direct() disk.FS { return direct{d} }

type direct struct{ *Disk }

// Open implements disk.FS.
func (d direct) Open(name string) (disk.File, error) {
	f, err := d.Disk.Open(name)
	if err != nil {
		return nil, err
	}
	return syncWriter{f.(*file)}, nil
}

type syncWriter struct{ *file }

// WriteSync implements disk.SyncWriter. While the hook makes it wait, any of its sectors may be on the disk or not, and for ever if
// it fails. As a disk's blocks are, they are written whole: with what the first one held before, and with zeros at the end.
func (f syncWriter) WriteSync(b []byte, at int64) error {
	d, n := f.disk, f.node
	hook, err := d.enter(WriteSync)
	if errors.Is(err, ErrPowerCut) && err != errLast {
		return err
	}
	d.mu.Lock()
	w, fits := n.blocks(b, at)
	if fits {
		n.pending = append(n.pending, w)
	}
	d.mu.Unlock()
	if !fits {
		return fmt.Errorf("write %s: past the end at %d", f.name, at)
	}
	if err == nil && hook != nil {
		err = hook(WriteSync, f.name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && d.dead {
		err = ErrPowerCut
	}
	if err != nil {
		return err
	}
	n.land(w)
	n.pending = slices.DeleteFunc(n.pending, func(p *write) bool { return p == w })
	return nil
}

// land has all of w on the disk.
func (n *inode) land(w *write) {
	if grown := len(n.data) - len(n.durable); grown > 0 {
		n.durable = append(n.durable, make([]byte, grown)...)
	}
	copy(n.data[w.at:], w.data)
	copy(n.durable[w.at:], w.data)
}

// direct are the direct writes under way, which a Sync does not touch.
func (n *inode) direct() (out []*write) {
	for _, w := range n.pending {
		if w.direct {
			out = append(out, w)
		}
	}
	return out
}

// endDirect ends the direct writes under way: every other one well, the others as if they had never begun.
func (n *inode) endDirect(well bool) {
	n.pending = slices.DeleteFunc(n.pending, func(w *write) bool {
		if w.direct {
			if well {
				n.land(w)
			}
			well = !well
		}
		return w.direct
	})
}

// blocks is the write of the blocks that hold b.
func (n *inode) blocks(b []byte, at int64) (w *write, fits bool) {
	end := at + int64(len(b))
	if !n.room(end) {
		return nil, false
	}
	first := at - at%disk.BlockBytes
	last := min((end+disk.BlockBytes-1)/disk.BlockBytes*disk.BlockBytes, int64(len(n.data)))
	w = &write{at: first, data: make([]byte, last-first), direct: true}
	copy(w.data, n.data[first:at])
	copy(w.data[at-first:], b)
	return w, true
}
