package resp

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/fsm/command"
)

// TestRepliesBeyond2GiB: where a reply ends does not fit into 32 bits.
func TestRepliesBeyond2GiB(t *testing.T) {
	const first, last = 1 << 31, "-ERR last\r\n"
	// Address space only: what nobody looks at takes no memory.
	buf, err := unix.Mmap(-1, 0, first+len(last), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		t.Skip(err)
	}
	copy(buf[first:], last)
	w := newWorld(t, 1)
	c := w.undriven(t)
	spec := command.ByID(command.Ping)
	c.run.start()
	c.run.own.Buf = buf[:first]
	c.run.answered(spec, false)
	c.run.own.Buf = buf
	c.run.answered(spec, false)
	if got := string(c.lastOwn()); got != last {
		t.Errorf("the last reply is %q", got)
	}
	failed := &w.srv.stats.commands[spec.ID].failed
	if c.account(); failed.Load() != 1 {
		t.Errorf("%d errors were counted", failed.Load())
	}
	if err := unix.Munmap(buf); err != nil {
		t.Error(err)
	}
}
