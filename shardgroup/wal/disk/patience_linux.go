//go:build amd64 || arm64

package disk

import "time"

const (
	// enough is how long a call may take that is made without telling Go's scheduler. On a busy machine, most of that is
	// spent waiting for a core, not for the disk.
	enough = 20 * time.Millisecond
	// penance is for how many times as long calls are ordinary after one that took longer: a processor stands still for a
	// fiftieth of the time at most.
	penance = 50
)

// patience is lost when such a call blocks after all, because the disk has too much to do or the file system is busy with
// the file's inode: then one processor of this process stands still instead of one goroutine. That may stop the whole process, as
// SIGSTOP does: while a file system was frozen for 6 s (fsfreeze(8)), nothing ran on two processors either. Nobody hears from the node
// then, and so the write that ends late is not taken for a stall (package stall).
type patience struct{ lostUntil time.Time }

func (p *patience) lost(now time.Time) bool { return now.Before(p.lostUntil) }

// note takes account of a call that began at start and has ended.
func (p *patience) note(start time.Time) {
	if took := time.Since(start); took > enough {
		p.lostUntil = start.Add(took + penance*took)
	}
}
