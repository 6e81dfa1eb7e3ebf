package fabric

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

var _ node.Peers = (*Peers)(nil)

var lan = Weather{Delay: time.Millisecond, Jitter: 10 * time.Millisecond}

func between(a, b Host) func(from, to Host) bool {
	return func(from, to Host) bool { return from == a && to == b || from == b && to == a }
}

// pair are two nodes of which b answers with what it was asked.
func pair(t *testing.T, n *Net) (a, b *Peers) {
	a, b = n.Join("a", "ha", "a:1"), n.Join("b", "hb", "b:1")
	b.Handle(raftnet.KindAppend, func(_ context.Context, _ topology.NodeID, _ slot.GroupID, payload []byte) ([]byte, error) {
		return payload, nil
	})
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func call(t *testing.T, a *Peers, g slot.GroupID) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	_, err := a.Call(ctx, "b", raftnet.KindAppend, g, []byte("x"))
	return time.Since(began), err
}

// The same seed gives each message of a link the same fate.
func TestFatesFollowFromTheSeed(t *testing.T) {
	history := func(seed uint64) string {
		var out strings.Builder
		synctest.Test(t, func(t *testing.T) {
			w := lan
			w.Loss = 0.2
			a, _ := pair(t, New(seed, w, nil))
			for range 50 {
				took, err := call(t, a, 1)
				fmt.Fprintln(&out, took, err)
			}
		})
		return out.String()
	}
	one := history(1)
	if history(1) != one || history(2) == one {
		t.Error("the seed does not decide")
	}
	if !strings.Contains(one, "no answer") || !strings.Contains(one, "nil") {
		t.Errorf("want some calls to get lost and some to arrive:\n%s", one)
	}
}

func TestRulesHoldForTheirClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, lan, nil)
		a, _ := pair(t, n)
		lift := n.Add(Rule{Effect: Lose, Classes: Placement, On: between("ha", "hb")})
		if _, err := call(t, a, 0); !errors.Is(err, peer.ErrNoAnswer) {
			t.Errorf("placement's call over a cut link: %v", err)
		}
		if _, err := call(t, a, 1); err != nil {
			t.Errorf("a group's call beside a cut of placement's: %v", err)
		}
		lift()
		if _, err := call(t, a, 0); err != nil {
			t.Errorf("after the cut: %v", err)
		}
		lift = n.Add(Rule{Effect: Hold, Classes: All, On: between("ha", "hb")})
		time.AfterFunc(300*time.Millisecond, lift)
		if took, err := call(t, a, 1); err != nil || took < 300*time.Millisecond {
			t.Errorf("a call that was held for 300ms took %v, %v", took, err)
		}
		replies := func(m memnet.Message) bool { return m.Reply }
		lift = n.Add(Rule{Effect: Lose, Classes: All, On: func(from, _ Host) bool { return from == "ha" }, Only: replies})
		if _, err := call(t, a, 1); err != nil {
			t.Errorf("a call where only replies are lost: %v", err)
		}
		lift()
		lift = n.Add(Rule{Effect: Lose, Classes: All, On: between("ha", "hb"), Only: replies})
		if _, err := call(t, a, 1); !errors.Is(err, peer.ErrNoAnswer) {
			t.Errorf("a call whose reply is lost: %v", err)
		}
		lift()
		defer n.Add(Rule{Effect: Worsen, Classes: All, On: between("ha", "hb"), Weather: Weather{Delay: 200 * time.Millisecond}})()
		if took, err := call(t, a, 1); err != nil || took < 400*time.Millisecond {
			t.Errorf("a call over a slow link took %v, %v", took, err)
		}
	})
}

// talk connects a client to a server that answers each line.
func talk(t *testing.T, n *Net) (client net.Conn, r *bufio.Reader) {
	l, err := n.Listen("hb", "10.0.0.2:7000")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	t.Cleanup(func() { l.Close() })
	c, err := n.Dial(t.Context(), "c", "10.0.0.2:7000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); time.Sleep(time.Second) }) // the server must hear of it
	return c, bufio.NewReader(c)
}

func TestStreamsKeepOrderThroughLossAndCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lan
		w.Loss = 0.3
		n := New(1, w, nil)
		c, r := talk(t, n)
		for i := range 100 {
			fmt.Fprintln(c, i)
		}
		lift := n.Add(Rule{Effect: Lose, Classes: Clients, On: between("c", "hb")})
		time.AfterFunc(5*time.Second, lift)
		began := time.Now()
		for i := range 100 {
			if line, err := r.ReadString('\n'); err != nil || strings.TrimSpace(line) != fmt.Sprint(i) {
				t.Fatalf("line %d is %q, %v", i, line, err)
			}
		}
		if took := time.Since(began); took < 5*time.Second || took > 8*time.Second {
			t.Errorf("it took %v over a link that was cut for 5s", took)
		}
	})
}

func TestStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, lan, nil)
		c, r := talk(t, n)
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := r.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("at the deadline: %v", err)
		}
		c.SetReadDeadline(time.Time{})
		n.Drop("hb", false)
		if _, err := r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("when the process has died: %v", err)
		}
		if _, err := n.Dial(t.Context(), "c", "10.0.0.2:7000"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialing a dead process: %v", err)
		}
	})
}

func TestACutLinkCannotBeDialed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, lan, nil)
		talk(t, n)
		defer n.Add(Rule{Effect: Lose, Classes: Clients, On: between("c", "hb")})()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, "c", "10.0.0.2:7000"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dialing over a cut link: %v", err)
		}
	})
}
