package resp

import (
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"
)

// inAllWays runs a test with connections on loops, with io_uring and without, and with a goroutine for each.
func inAllWays(t *testing.T, test func(t *testing.T, way func(*Config))) {
	for name, way := range map[string]func(*Config){
		"goroutines": ioThreads(0), "loop": ioThreads(1), "loops": ioThreads(3),
		"loop without io_uring": func(c *Config) { c.IOThreads, c.IOUring = 1, false },
	} {
		t.Run(name, func(t *testing.T) { test(t, way) })
	}
}

func ioThreads(n int) func(*Config) { return func(c *Config) { c.IOThreads = n } }

// TestPipelinesOfAnyCut sends a long pipeline in pieces that end anywhere; replies must come in order, whatever mixture of
// groups, connection commands and commands that block it holds.
func TestPipelinesOfAnyCut(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 3, way)
		c := w.dial(t)
		var in strings.Builder
		var want []string
		for i := range 300 {
			key, n := fmt.Sprint("key", i%40), fmt.Sprint(i)
			for _, each := range [][2]string{
				{array("SET", key, n), "+OK\r\n"}, {array("GET", key), fmt.Sprintf("$%d\r\n%s\r\n", len(n), n)},
				{array("ECHO", n), fmt.Sprintf("$%d\r\n%s\r\n", len(n), n)}, {array("CLIENT", "NO-TOUCH", "on"), "+OK\r\n"},
				{array("WATCH", key), "+OK\r\n"}, {array("MULTI"), "+OK\r\n"}, {array("APPEND", key, "x"), "+QUEUED\r\n"},
				{array("EXEC"), fmt.Sprintf("*1\r\n:%d\r\n", len(n)+1)}, {array("DEL", key), ":1\r\n"},
			} {
				in.WriteString(each[0])
				want = append(want, each[1])
			}
		}
		go func() {
			for rest := in.String(); rest != ""; {
				cut := min(len(rest), 1+len(rest)*7919%1500)
				if _, err := c.nc.Write([]byte(rest[:cut])); err != nil {
					return
				}
				rest = rest[cut:]
			}
		}()
		for i, each := range want {
			if got := c.read(); got != each {
				t.Fatalf("reply %d: got %q, want %q", i, got, each)
			}
		}
	})
}

// TestKilledWhileItsGroupThinks: the client sees the end at once, the reply that comes later goes nowhere, and nothing is left.
func TestKilledWhileItsGroupThinks(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		hold := make(chan struct{})
		w.groups[1].set(func() { w.groups[1].hold = hold })
		victim, other := w.dial(t), w.dial(t)
		id := strings.Trim(victim.do("CLIENT", "ID"), ":\r\n")
		victim.send(array("SET", "a", "1"))
		await(t, "the write", func() bool { submits, _, _ := w.groups[1].counted(); return submits == 1 })
		other.expect(":1\r\n", "CLIENT", "KILL", "ID", id)
		if got := victim.read(); got != "EOF" {
			t.Errorf("killed client: got %q", got)
		}
		close(hold)
		await(t, "its end", func() bool { return w.srv.conns.count() == 1 })
		other.expect("$1\r\n1\r\n", "GET", "a")
	})
}

// TestHangUpWhileItsGroupThinks is the same with a client that goes by itself, thousands of times at once.
func TestHangUpWhileItsGroupThinks(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		hold := make(chan struct{})
		w.groups[1].set(func() { w.groups[1].hold = hold })
		const clients = 500
		var gone []net.Conn
		for i := range clients {
			nc, err := net.Dial("tcp", w.addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := nc.Write([]byte(array("INCR", "n") + array("INCR", "n"))); err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if i%2 == 0 {
				gone = append(gone, nc)
			}
		}
		await(t, "the writes", func() bool { submits, _, _ := w.groups[1].counted(); return submits == clients })
		for _, nc := range gone {
			nc.Close()
		}
		close(hold)
		c := w.dial(t)
		await(t, "all of them", func() bool { return c.do("GET", "n") == fmt.Sprintf("$4\r\n%d\r\n", 2*clients) })
	})
}

// TestOneSlowReaderOnALoop: replies that a client does not take wait for it alone, and arrive whole when it does.
func TestOneSlowReaderOnALoop(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		c, slow := w.dial(t), w.dial(t)
		value := strings.Repeat("v", 1<<20)
		c.expect("+OK\r\n", "SET", "big", value)
		const gets = 30
		slow.send(strings.Repeat(array("GET", "big"), gets) + array("SET", "done", "1"))
		for i := range 200 {
			c.expect("+OK\r\n", "SET", "small", fmt.Sprint(i))
		}
		for i := range gets {
			if got := slow.read(); len(got) != len(value)+len("$1048576\r\n\r\n") {
				t.Fatalf("reply %d has %d bytes", i, len(got))
			}
		}
		if got := slow.read(); got != "+OK\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

// TestShutdownAnswersWhatWasRead: a stop does not cut off commands that the server has.
func TestShutdownAnswersWhatWasRead(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		hold := make(chan struct{})
		w.groups[1].set(func() { w.groups[1].hold = hold })
		busy, idle := w.dial(t), w.dial(t)
		idle.expect("+PONG\r\n", "PING")
		busy.send(array("SET", "a", "1"))
		await(t, "the write", func() bool { submits, _, _ := w.groups[1].counted(); return submits == 1 })
		done := make(chan error, 1)
		go func() { done <- w.srv.Shutdown(t.Context()) }()
		if got := idle.read(); got != "EOF" {
			t.Errorf("idle client: got %q", got)
		}
		close(hold)
		if got := busy.read(); got != "+OK\r\n" {
			t.Errorf("busy client: got %q", got)
		}
		if got := busy.read(); got != "EOF" {
			t.Errorf("busy client: got %q", got)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("Shutdown does not return")
		}
	})
}

// TestHalfClosedClientsGetTheirReplies: "printf … | nc" says that it will send no more before it has read anything.
func TestHalfClosedClientsGetTheirReplies(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		var clients []*client
		for range 50 {
			clients = append(clients, w.dial(t))
		}
		for i, c := range clients {
			c.send(array("SET", fmt.Sprint("k", i), fmt.Sprint(i)) + array("GET", fmt.Sprint("k", i)) + array("GET", "none"))
			if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range clients {
			n := fmt.Sprint(i)
			if got, want := c.read()+c.read()+c.read()+c.read(), fmt.Sprintf("+OK\r\n$%d\r\n%s\r\n$-1\r\nEOF", len(n), n); got != want {
				t.Errorf("client %d got %q, want %q", i, got, want)
			}
		}
	})
}

// TestSlowReadersOfSmallReplies: clients that send one command after the other, and then close their side, and read nothing get every
// reply, in order, when they do; others go on meanwhile, and those that break their connection off do no harm.
func TestSlowReadersOfSmallReplies(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		quick := w.dial(t)
		quick.expect("+OK\r\n", "SET", "k", strings.Repeat("v", 4000))
		const readers, gets = 8, 3000 // of 4 KB: more than a socket holds
		var slow []*client
		var sent sync.WaitGroup
		for range readers {
			c := w.dial(t)
			slow = append(slow, c)
			sent.Go(func() {
				for i := range gets {
					// Its server may be unable to take more for as long as nobody reads.
					if _, err := c.nc.Write([]byte(array("GET", "k") + array("ECHO", fmt.Sprint(i)))); err != nil {
						t.Error(err)
						return
					}
				}
				if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 50 {
			quick.expect("+OK\r\n", "SET", "q", fmt.Sprint(i))
			rude := w.dial(t)
			rude.send(strings.Repeat(array("GET", "k"), 10))
			if err := rude.nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			rude.nc.Close()
		}
		var read sync.WaitGroup
		for _, c := range slow {
			read.Go(func() {
				for i := range gets {
					n := fmt.Sprint(i)
					if got := c.read(); len(got) != 4000+len("$4000\r\n\r\n") {
						t.Errorf("GET %d got %d bytes", i, len(got))
						return
					}
					if got, want := c.read(), fmt.Sprintf("$%d\r\n%s\r\n", len(n), n); got != want {
						t.Errorf("got %q, want %q", got, want)
						return
					}
				}
				if got := c.read(); got != "EOF" {
					t.Errorf("got %q after the last reply", got)
				}
			})
		}
		read.Wait()
		sent.Wait()
		await(t, "the end of all others", func() bool { return w.srv.conns.count() == 1 })
	})
}

// TestClientsShareSystemCalls: what several clients send and get at the same time takes one system call.
func TestClientsShareSystemCalls(t *testing.T) {
	for _, uring := range []bool{true, false} {
		t.Run(fmt.Sprintf("io-uring %v", uring), func(t *testing.T) {
			w := newWorld(t, 1, func(c *Config) { c.IOThreads, c.IOUring = 1, uring })
			clients := make([]*client, 2*together)
			for i := range clients {
				clients[i] = w.dial(t)
			}
			if w.srv.multiplexing() == "epoll" && uring {
				t.Skip("no io_uring here")
			}
			round := func() {
				for _, c := range clients {
					c.send(array("SET", "k", "v"))
				}
				for _, c := range clients {
					if got := c.read(); got != "+OK\r\n" {
						t.Fatalf("got %q", got)
					}
				}
			}
			st := &w.srv.stats
			round()
			if uring {
				await(t, "a shared read and a shared write", func() bool {
					round()
					return st.sharedReads.Load() > 0 && st.sharedWrites.Load() > 0
				})
			} else if n := st.sharedReads.Load() + st.sharedWrites.Load(); n > 0 {
				t.Errorf("%d shared transfers", n)
			}
		})
	}
}

// TestNothingHoldsWhoHasEnded: a connection that has ended is garbage, though its loop has no more to do.
func TestNothingHoldsWhoHasEnded(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		c := w.dial(t)
		id, err := strconv.ParseInt(strings.Trim(c.do("CLIENT", "ID"), ":\r\n"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c.expect("+OK\r\n", "SET", "k", "v")
		ended := weak.Make(w.srv.conns.get(id))
		c.nc.Close()
		await(t, "its end", func() bool { return w.srv.conns.count() == 0 })
		await(t, "its collection", func() bool {
			runtime.GC()
			return ended.Value() == nil
		})
	})
}
