package machine

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/placement/service"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

var _ service.Files = Files{}

var _ = node.Host{Disk: new(Process).Disk, Stable: new(Process).Stable, Files: Files{}, Clock: new(Machine).Now}

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

func folder(t *testing.T, p *Process) disk.FS {
	fs, err := p.Disk(GroupsLog)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// written makes a file, synced, and writes to it without a sync.
func written(t *testing.T, p *Process) disk.File {
	fs := folder(t, p)
	f, err := fs.Create("f", 1024, nil)
	if err == nil {
		err = errors.Join(f.Sync(), fs.SyncDir())
	}
	if err == nil {
		_, err = f.WriteAt(bytes.Repeat([]byte("x"), 1024), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAKillKeepsWhatAPowerCutTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("m")
		p := m.Start(1)
		old := written(t, p)
		if lost := p.End(false, rng()); !lost.Since.IsZero() {
			t.Errorf("a kill lost what was written since %v", lost.Since)
		}
		if _, err := old.WriteAt([]byte("y"), 0); err == nil {
			t.Error("a dead process writes")
		}
		first, _ := m.boot()
		p = m.Start(2)
		f, err := folder(t, p).Open("f")
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, 0); err != nil || b[0] != 'x' {
			t.Errorf("after the kill: %q, %v", b, err)
		}
		time.Sleep(time.Second)
		began := time.Now()
		if _, err := f.WriteAt([]byte("y"), 512); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if lost := p.End(true, rng()); !lost.Since.Equal(began) {
			t.Errorf("the power cut took what was written since %v, want %v", lost.Since, began)
		}
		if second, _ := m.boot(); second == first {
			t.Error("the machine has not booted")
		}
	})
}

func TestDoomComesBetweenTwoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("m")
		p := m.Start(1)
		f := written(t, p)
		doomed := make(chan struct{})
		p.DoomAfter(1, func() { close(doomed) })
		if err := f.Sync(); err != nil {
			t.Errorf("the last operation: %v", err)
		}
		if err := p.Files().Replace("r", []byte("v")); err == nil || !p.Ended() {
			t.Errorf("the one after: %v", err)
		}
		<-doomed
		p.End(false, rng())
		if data, err := m.Start(2).Files().Load("r"); data != nil || err != nil {
			t.Errorf("of the write after its end there is %q, %v", data, err)
		}
	})
}

func TestDisksSuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("m")
		p := m.Start(1)
		f := written(t, p)
		m.SetDisk(DiskFault{Delay: time.Second})
		began := time.Now()
		if err := f.Sync(); err != nil || time.Since(began) != time.Second {
			t.Errorf("a slow sync took %v, %v", time.Since(began), err)
		}
		m.SetDisk(DiskFault{Stuck: true})
		time.AfterFunc(time.Minute, func() { m.SetDisk(DiskFault{Fail: ErrIO}) })
		if err := f.Sync(); !errors.Is(err, ErrIO) || time.Since(began) < time.Minute {
			t.Errorf("a sync that was stuck and then failed: %v after %v", err, time.Since(began))
		}
		if err := f.Sync(); err != nil {
			t.Errorf("a sync after the failed one: %v", err)
		}
		m.SetDisk(DiskFault{FailSync: ErrIO})
		if _, err := f.WriteAt([]byte("y"), 0); err != nil {
			t.Errorf("a write before a sync that is to fail: %v", err)
		}
		if err := f.Sync(); !errors.Is(err, ErrIO) {
			t.Errorf("a sync that is to fail: %v", err)
		}
		m.SetDisk(DiskFault{Stuck: true})
		time.AfterFunc(time.Second, func() { p.End(true, rng()) })
		if err := f.Sync(); err == nil {
			t.Error("a sync outlived its process")
		}
	})
}

func TestStableStoreAndClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("m")
		open := func(seed uint64) (*Process, string, bool) {
			p := m.Start(seed)
			s, err := p.Stable(func(err error) { t.Error(err) })
			if err == nil {
				_, err = s.BeginRun(time.Second, time.Second)
			}
			if err == nil {
				err = s.LogOpened(true)
			}
			if err != nil {
				t.Fatal(err)
			}
			return p, s.NodeID(), s.LostTailPossible()
		}
		p, id, _ := open(1)
		p.End(false, rng())
		p, again, suspect := open(2)
		if again != id || suspect {
			t.Errorf("after a kill: node %s, was %s; suspect %v", again, id, suspect)
		}
		p.End(true, rng())
		if _, again, suspect = open(3); again != id || !suspect {
			t.Errorf("after a power cut: node %s, was %s; suspect %v", again, id, suspect)
		}
		m.SetClock(-time.Hour, 0.05)
		began := m.Now()
		time.Sleep(time.Minute)
		if passed := m.Now() - began; passed != 63_000 || time.Now().UnixMilli()-m.Now() < 3_590_000 {
			t.Errorf("a clock that is 5 %% fast passed %d ms in a minute", passed)
		}
	})
}
