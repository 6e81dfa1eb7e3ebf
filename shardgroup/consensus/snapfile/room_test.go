package snapfile

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// A full disk costs nobody anything but the new snapshot; any other failure, and any from the rename on, is not called a full disk.
func TestNoRoomForASnapshot(t *testing.T) {
	long := bytes.Repeat([]byte("long"), syncEvery/4+1)
	for name, c := range map[string]struct {
		op     crashdisk.Op
		err    error
		data   []byte
		noRoom bool
	}{
		"no room for a file":             {crashdisk.Create, syscall.ENOSPC, nil, true},
		"no room for the bytes":          {crashdisk.Write, syscall.ENOSPC, long, true},
		"no room for the last bytes":     {crashdisk.Write, syscall.ENOSPC, nil, true},
		"the quota is used up":           {crashdisk.Write, syscall.EDQUOT, long, true},
		"no room shows at a sync":        {crashdisk.Sync, syscall.ENOSPC, long, true},
		"no room shows at the last sync": {crashdisk.Sync, syscall.EDQUOT, nil, true},
		"a failed create":                {crashdisk.Create, syscall.EIO, nil, false},
		"a failed write":                 {crashdisk.Write, syscall.EIO, long, false},
		"a failed sync":                  {crashdisk.Sync, syscall.EIO, long, false},
		"a failed last sync":             {crashdisk.Sync, syscall.EIO, nil, false},
		"no room for the new name":       {crashdisk.Rename, syscall.ENOSPC, nil, false},
		"no room for the directory":      {crashdisk.SyncDir, syscall.ENOSPC, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := new(crashdisk.Disk)
			s, err := OpenOn(d)
			if err != nil {
				t.Fatal(err)
			}
			save(t, s, 5, []byte("five"))
			once(d, c.op, c.err)
			err = write(s, 12, c.data)
			if !errors.Is(err, c.err) || errors.Is(err, ErrNoRoom) != c.noRoom {
				t.Fatalf("%v, want one of a full disk: %v", err, c.noRoom)
			}
			if !c.noRoom {
				return // the process ends
			}
			if left := unfinished(d); left != 0 {
				t.Errorf("%d unfinished files are left", left)
			}
			if m, data, err := newest(s); err != nil || m.Index != 5 || string(data) != "five" {
				t.Errorf("the snapshot before it: %v, %q, %v", m, data, err)
			}
			save(t, s, 12, []byte("twelve"))
			if m, data, err := newest(s); err != nil || m.Index != 12 || string(data) != "twelve" {
				t.Errorf("the next one: %v, %q, %v", m, data, err)
			}
		})
	}
}

// A file that does not fit and can't be removed either is no mere lack of room.
func TestAFileThatStaysIsAFailure(t *testing.T) {
	d := new(crashdisk.Disk)
	s, err := OpenOn(d)
	if err != nil {
		t.Fatal(err)
	}
	d.SetHook(func(op crashdisk.Op, _ string) error {
		return map[crashdisk.Op]error{crashdisk.Write: syscall.ENOSPC, crashdisk.Remove: syscall.EIO}[op]
	})
	if err := write(s, 5, nil); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrNoRoom) {
		t.Error(err)
	}
}

// once lets the first op fail; then the disk claims to be well again.
func once(d *crashdisk.Disk, op crashdisk.Op, err error) {
	var failed atomic.Bool
	d.SetHook(func(o crashdisk.Op, _ string) error {
		if o == op && failed.CompareAndSwap(false, true) {
			return err
		}
		return nil
	})
}

// write tries to save a snapshot, by somebody who closes it even after a write that failed.
func write(s *Store, index uint64, data []byte) error {
	k, err := s.Create(1, index, 3, servers, index-1, nil)
	if err != nil {
		return err
	}
	_, _ = k.Write(data)
	return k.Close()
}

func unfinished(d *crashdisk.Disk) (n int) {
	names, _ := d.List() // it has no errors
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			n++
		}
	}
	return n
}
