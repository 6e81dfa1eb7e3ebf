package ring

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const room = 16

// newRing skips the test where the system has no io_uring for us, and only there.
func newRing(t testing.TB) *Ring {
	t.Helper()
	r, err := New(room)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// pair returns two sockets that are connected.
func pair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd) // a test may have closed it
		}
	})
	return fds[0], fds[1]
}

func TestLayout(t *testing.T) {
	for name, got := range map[string][2]uintptr{
		"io_uring_params": {unsafe.Sizeof(params{}), 120}, "io_uring_sqe": {unsafe.Sizeof(submission{}), 64},
		"io_uring_cqe": {unsafe.Sizeof(completion{}), 16}, "sqe.addr": {unsafe.Offsetof(submission{}.address), 16},
		"sqe.user_data": {unsafe.Offsetof(submission{}.user), 32}, "params.sq_off": {unsafe.Offsetof(params{}.sq), 40},
		"params.cq_off": {unsafe.Offsetof(params{}.cq), 80}, "EAGAIN": {uintptr(-WouldBlock), uintptr(unix.EAGAIN)},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", name, got[0], got[1])
		}
	}
}

// TestTogether: every socket gets what was meant for it, over more rounds than the queues have room for.
func TestTogether(t *testing.T) {
	r := newRing(t)
	var ours, theirs [room]int
	for i := range room {
		ours[i], theirs[i] = pair(t)
	}
	var got [room][64]byte
	for round := range 50 {
		n := 1 + round%room
		text := func(i int) []byte { return fmt.Appendf(nil, "round %d, socket %d", round, i) }
		for i := range n {
			r.Send(ours[i], text(i))
		}
		for i, res := range r.Run() {
			if sent, ok := res.Bytes(); !ok || sent != len(text(i)) {
				t.Fatalf("round %d: send %d: %d", round, i, res)
			}
		}
		for i := range n {
			r.Receive(theirs[i], got[i][:])
		}
		results := r.Run()
		if len(results) != n {
			t.Fatalf("round %d: %d results of %d transfers", round, len(results), n)
		}
		for i, res := range results {
			if k, _ := res.Bytes(); !bytes.Equal(got[i][:k], text(i)) {
				t.Errorf("round %d: socket %d received %q, %d", round, i, got[i][:k], res)
			}
		}
	}
}

// TestNothingWaits: what cannot be done at once fails, each in its own way, and keeps nothing else from being done.
func TestNothingWaits(t *testing.T) {
	r := newRing(t)
	empty, _ := pair(t)
	closed, other := pair(t)
	unix.Close(other)
	full, _ := pair(t)
	plenty := make([]byte, 16<<20)
	r.Send(full, plenty)
	part, ok := r.Run()[0].Bytes()
	if !ok || part == len(plenty) {
		t.Fatalf("%d of %d bytes were sent to a socket that nobody reads", part, len(plenty))
	}
	good, from := pair(t)
	if _, err := unix.Write(from, []byte("x")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	r.Receive(empty, b)
	r.Receive(-1, b)
	r.Receive(closed, b)
	r.Send(closed, b)
	r.Send(full, b)
	r.Receive(good, b)
	want := []Result{WouldBlock, Result(-int32(unix.EBADF)), 0, Result(-int32(unix.EPIPE)), WouldBlock, 1}
	for i, got := range r.Run() {
		if got != want[i] {
			t.Errorf("transfer %d: %d, want %d", i, got, want[i])
		}
		if n, ok := got.Bytes(); ok != (got > 0) || ok && n != int(got) {
			t.Errorf("transfer %d: Bytes returned %d, %v", i, n, ok)
		}
	}
	if got := r.Run(); len(got) != 0 {
		t.Errorf("%d results of no transfers", len(got))
	}
}

// TestRefusedTransfersAreForgotten: transfers that the kernel did not take are reported, and are not tried by the next Run.
func TestRefusedTransfersAreForgotten(t *testing.T) {
	r := newRing(t)
	a, b := pair(t)
	fd := r.fd
	r.fd = -1
	r.Send(a, []byte("lost"))
	r.Send(a, []byte("lost"))
	for i, got := range r.Run() {
		if got != NotRun {
			t.Errorf("transfer %d: %d", i, got)
		}
	}
	r.fd = fd
	r.Send(a, []byte("x"))
	if got := r.Run(); len(got) != 1 || got[0] != 1 {
		t.Errorf("afterwards: %d", got)
	}
	got := make([]byte, 16)
	if n, err := unix.Read(b, got); err != nil || string(got[:n]) != "x" {
		t.Errorf("received %q, %v", got[:n], err)
	}
}

// BenchmarkTransfer receives and sends on so many sockets with one system call each for all of them, and for each.
func BenchmarkTransfer(b *testing.B) {
	for _, n := range []int{1, 4, room} {
		var ours, theirs [room]int
		for i := range n {
			ours[i], theirs[i] = pair(b)
		}
		buffer, text := make([]byte, 1024), []byte("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n")
		b.Run(fmt.Sprintf("%d/ring", n), func(b *testing.B) {
			r := newRing(b)
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					r.Send(ours[i], text)
				}
				r.Run()
				for i := range n {
					r.Receive(theirs[i], buffer)
				}
				r.Run()
			}
		})
		b.Run(fmt.Sprintf("%d/calls", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					_, _ = unix.Write(ours[i], text)
				}
				for i := range n {
					_, _ = unix.Read(theirs[i], buffer)
				}
			}
		})
	}
}
