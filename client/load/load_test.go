package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
)

func TestAppendKey(t *testing.T) {
	for n, want := range map[uint32]string{0: "k:xxxxx000000000", 7: "k:xxxxx000000007", 99_999_999: "k:xxxxx099999999"} {
		if got := string(appendKey(nil, present, n, 16)); got != want {
			t.Errorf("key %d is %q, want %q", n, got, want)
		}
	}
	if got := string(appendKey(nil, present, 5, minKeySize)); got != "k:000000005" {
		t.Errorf("shortest key is %q", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	good := Plan{Seeds: []string{"a:1"}, Clients: 1, Pipeline: 1, Keys: 1, KeySize: 16, Duration: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Plan){
		"no seeds":         func(p *Plan) { p.Seeds = nil },
		"no clients":       func(p *Plan) { p.Clients = 0 },
		"no pipeline":      func(p *Plan) { p.Pipeline = 0 },
		"reads over 1":     func(p *Plan) { p.Reads = 1.1 },
		"reads of NaN":     func(p *Plan) { p.Reads = math.NaN() },
		"short keys":       func(p *Plan) { p.KeySize = minKeySize - 1 },
		"misses over 1":    func(p *Plan) { p.Absent = 2 },
		"misses of NaN":    func(p *Plan) { p.Absent = math.NaN() },
		"fine interval":    func(p *Plan) { p.Interval = time.Millisecond },
		"negative wait":    func(p *Plan) { p.WaitReplicas = -1 },
		"upside down zipf": func(p *Plan) { p.Zipf = -0.1 },
		"steep zipf":       func(p *Plan) { p.Zipf = 11 },
		"zipf of NaN":      func(p *Plan) { p.Zipf = math.NaN() },
		"endless zipf":     func(p *Plan) { p.Zipf = math.Inf(1) },
		"rate of NaN":      func(p *Plan) { p.Rate = math.NaN() },
		"endless rate":     func(p *Plan) { p.Rate = math.Inf(1) },
		"next to no rate":  func(p *Plan) { p.Rate = 1e-4 },
		"no duration":      func(p *Plan) { p.Duration = 0 },
		"too many keys":    func(p *Plan) { p.Keys = 1 << 30 },
		"too large values": func(p *Plan) { p.Clients, p.Pipeline, p.ValueSize = 500, 100, 1<<20 },
	} {
		p := good
		change(&p)
		if p.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// lineServer answers each command (of redis protocol, arrays only) by what answer returns for its first word, and hangs up
// without an answer.
func lineServer(t *testing.T, answer func(addr, cmd string) string) string {
	return commandServer(t, func(nc net.Conn, addr, cmd string) bool {
		text := answer(addr, cmd)
		_, err := nc.Write([]byte(text))
		return err == nil && text != ""
	})
}

// commandServer lets serve answer each command, until it wants no more.
func commandServer(t *testing.T, serve func(nc net.Conn, addr, cmd string) bool) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				r := bufio.NewReader(nc)
				for {
					cmd, err := readCommand(r)
					if err != nil || !serve(nc, ln.Addr().String(), cmd) {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func readCommand(r *bufio.Reader) (string, error) {
	line := func() (string, error) { s, err := r.ReadString('\n'); return strings.TrimSpace(s), err }
	head, err := line()
	if err != nil {
		return "", err
	}
	var n int
	if _, err := fmt.Sscanf(head, "*%d", &n); err != nil {
		return "", err
	}
	var words []string
	for range n {
		if _, err := line(); err != nil {
			return "", err
		}
		w, err := line()
		if err != nil {
			return "", err
		}
		words = append(words, w)
	}
	return strings.Join(words, " "), nil
}

func slotsReply(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	return fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%s\r\n", len(host), host, port)
}

// TestTheLeastRateHasAGap that fits a duration.
func TestTheLeastRateHasAGap(t *testing.T) {
	p := Plan{Clients: 50_000, Pipeline: 10_000, Rate: minRate}
	if gap := p.gap(); gap < 365*24*time.Hour || gap+1 < gap {
		t.Errorf("a pipeline each %v", gap)
	}
}

func TestRunCountsWhatItSaw(t *testing.T) {
	addr := lineServer(t, func(addr, cmd string) string {
		switch verb, _, _ := strings.Cut(cmd, " "); verb {
		case "CLUSTER":
			return slotsReply(addr)
		case "GET":
			return "$-1\r\n"
		default:
			return "+OK\r\n"
		}
	})
	plan := Plan{Seeds: []string{addr}, Clients: 3, Pipeline: 4, Reads: 0.5, Keys: 100, KeySize: 16, ValueSize: 8, Duration: 200 * time.Millisecond}
	if err := Fill(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops == 0 || r.Ops%4 != 0 || r.Misses == 0 || r.Errors != 0 || r.P50 <= 0 || r.Max < r.P99 {
		t.Fatalf("got %+v", r)
	}
}

// TestEveryNodeGetsConnections: the same ones each time, and never none.
func TestEveryNodeGetsConnections(t *testing.T) {
	s := &shared{keys: map[string]*keyspace{}, rec: newRecorder(Plan{})}
	s.plan.Open = func(context.Context, int) (Store, error) { return &mapStore{}, nil }
	for _, addr := range []string{"d:1", "b:1", "a:1", "c:1"} {
		s.keys[addr] = &keyspace{present: []uint32{1}}
	}
	s.plan.Clients = 6
	for range 20 {
		workers, err := s.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var addrs string
		for _, w := range workers {
			addrs += w.addr[:1]
		}
		if addrs != "abcdab" {
			t.Fatalf("connections to %s", addrs)
		}
	}
	s.plan.Clients = 3
	if _, err := s.connect(t.Context()); err == nil || !strings.Contains(err.Error(), "--clients 4") {
		t.Errorf("3 clients for 4 nodes: %v", err)
	}
}

func TestRunReportsErrors(t *testing.T) {
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		return "-MOVED 1 127.0.0.1:1\r\n"
	})
	plan := Plan{Seeds: []string{addr}, Clients: 1, Pipeline: 1, Keys: 10, KeySize: 16, Duration: 100 * time.Millisecond}
	r, err := Run(t.Context(), plan)
	if err == nil || !strings.Contains(err.Error(), "MOVED 1") || r.Redirects == 0 || !strings.Contains(r.FirstError, "MOVED") {
		t.Fatalf("got %+v, %v", r, err)
	}
	if err := Fill(t.Context(), plan); err == nil {
		t.Fatal("filling a cluster that refuses gives no error")
	}
}

// TestAnInterruptedRunTellsWhatItSaw, however little, and says so; in the warm-up there is nothing to tell.
func TestAnInterruptedRunTellsWhatItSaw(t *testing.T) {
	plan := smallPlan(storedKeys(t))
	plan.Duration = time.Hour
	for _, rate := range []float64{0, 1000} {
		plan.Rate = rate
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		r, err := Run(ctx, plan)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !r.Interrupted || r.Ops == 0 || r.Elapsed < 100*time.Millisecond || r.Elapsed > time.Minute {
			t.Errorf("rate %v: %+v, %v", rate, r, err)
		}
	}
	plan.Warmup = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if r, err := Run(ctx, plan); !errors.Is(err, context.DeadlineExceeded) || r.Interrupted {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestFillOutlastsAnElection: a group that has no leader, or another one, for a moment is filled all the same; any other refusal is told
// at once.
func TestFillOutlastsAnElection(t *testing.T) {
	for text, tries := range map[string]int64{"UNCERTAIN it may or may not": 2, "MOVED 1 127.0.0.1:1": 2, "OOM command not allowed": 1} {
		var refused, keys atomic.Int64
		addr := lineServer(t, func(addr, cmd string) string {
			switch {
			case strings.HasPrefix(cmd, "CLUSTER"):
				return slotsReply(addr)
			case refused.CompareAndSwap(0, 1):
				return "-" + text + "\r\n"
			default:
				keys.Add(1)
				return "+OK\r\n"
			}
		})
		err := Fill(t.Context(), Plan{Seeds: []string{addr}, Clients: 1, Pipeline: 1, Keys: 10, KeySize: 16, Duration: time.Second})
		if (err == nil) != (tries == 2) || keys.Load() != 10*tries-1 {
			t.Errorf("%s: %v, %d SETs done", text, err, keys.Load())
		}
	}
}

// TestFillTellsHowFarItIs: users wait for minutes where there are many keys.
func TestFillTellsHowFarItIs(t *testing.T) {
	told := make(chan struct{})
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		if strings.HasSuffix(keyOf(cmd), "150") { // in the second pipeline
			<-told
		}
		return "+OK\r\n"
	})
	plan := Plan{Seeds: []string{addr}, Clients: 1, Pipeline: 1, Keys: 300, KeySize: 16, Duration: time.Second}
	var once sync.Once
	plan.Progress = func(p Progress) {
		if p.Ops == fillPipeline && p.Total == 0 && p.Elapsed > 0 {
			once.Do(func() { close(told) })
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Fill(ctx, plan); err != nil {
		t.Error(err)
	}
	once.Do(func() { t.Error("nobody was told"); close(told) })
}

// TestFillSendsLargeValuesInSmallPipelines: one of 128 might take longer than a connection waits.
func TestFillSendsLargeValuesInSmallPipelines(t *testing.T) {
	s := &shared{}
	for size, want := range map[int]int{0: 128, 64: 128, 8 << 10: 128, 100 << 10: 10, 64 << 20: 1} {
		if s.plan.ValueSize = size; s.fillBatch() != want {
			t.Errorf("%d values of %d bytes at once, want %d", s.fillBatch(), size, want)
		}
	}
}

// keyOf is a command's second word.
func keyOf(cmd string) string {
	_, rest, _ := strings.Cut(cmd, " ")
	key, _, _ := strings.Cut(rest, " ")
	return key
}

func TestClusterFollowsMoved(t *testing.T) {
	var second string
	first := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		return "-MOVED 1 " + second + "\r\n"
	})
	second = lineServer(t, func(_, cmd string) string { return "+" + cmd + "\r\n" })
	c := client.NewCluster([]string{first}, client.Options{})
	defer c.Close()
	v, err := c.Do(context.Background(), "k", "GET", "k")
	if err != nil || v.Str != "GET k" || c.Owner("k") != second {
		t.Fatalf("got %+v, %v, owner %s", v, err, c.Owner("k"))
	}
}
