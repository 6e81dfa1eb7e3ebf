package fabric

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/rpc/peer"
)

func everywhere(_, _ Host) bool { return true }

// What was damaged on its way is noticed and never delivered.
func TestDamagedMessagesAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, lan, nil)
		a, _ := pair(t, n)
		lift := n.Add(Rule{Effect: Damage, Classes: Groups, On: everywhere, Weather: Weather{Loss: 1}})
		if _, err := call(t, a, 1); !errors.Is(err, peer.ErrNoAnswer) {
			t.Errorf("a damaged call: %v", err)
		}
		if _, err := call(t, a, 0); err != nil {
			t.Errorf("placement's call beside it: %v", err)
		}
		lift()
		if _, err := call(t, a, 1); err != nil {
			t.Errorf("after it: %v", err)
		}
		if s := n.Stats(); s.Damaged != 1 || s.Silent != 0 || s.Lost != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A broken connection has delivered a beginning of what was written, and then ends at both ends.
func TestBrokenStreams(t *testing.T) {
	lengths := map[int]bool{}
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			n := New(seed, lan, nil)
			c, _ := talk(t, n)
			defer n.Add(Rule{Effect: Break, Classes: Clients, On: func(from, _ Host) bool { return from == "hb" }, Weather: Weather{Loss: 1}})()
			if _, err := c.Write([]byte("0123456789")); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if !errors.Is(err, syscall.ECONNRESET) || !bytes.HasPrefix([]byte("0123456789"), got) {
				t.Errorf("read %q, %v", got, err)
			}
			lengths[len(got)] = true
			if s := n.Stats(); s.Broken != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
	if len(lengths) < 5 {
		t.Errorf("it broke in few places only: %v", lengths)
	}
}

// Who writes waits for who reads, until its deadline.
func TestFullStreamsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, lan, nil)
		l, err := n.Listen("hb", "10.0.0.2:7000")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := n.Dial(t.Context(), "c", "10.0.0.2:7000")
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		chunk := bytes.Repeat([]byte("x"), window)
		if _, err := c.Write(chunk); err != nil {
			t.Fatal(err)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		began := time.Now()
		if _, err := c.Write(chunk); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("a write to a full stream: %v after %v", err, time.Since(began))
		}
		c.SetWriteDeadline(time.Time{})
		var read []byte
		time.AfterFunc(5*time.Second, func() { read, _ = io.ReadAll(server) })
		if _, err := c.Write(chunk); err != nil || time.Since(began) < 5*time.Second {
			t.Errorf("a write while the other end begins to read: %v after %v", err, time.Since(began))
		}
		c.Close()
		time.Sleep(time.Second)
		if !slices.Equal(read, bytes.Repeat([]byte("x"), 2*window)) {
			t.Errorf("%d bytes arrived", len(read))
		}
	})
}
