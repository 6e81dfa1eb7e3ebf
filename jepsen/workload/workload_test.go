package workload

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/sleep"
)

// serve listens and answers each command with what answer returns for it; "" closes the connection.
func serve(t *testing.T, answer func(args []string) string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go converse(conn, answer)
		}
	}()
	return l.Addr().String()
}

func converse(conn net.Conn, answer func([]string) string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	line := func() string {
		s, _ := r.ReadString('\n')
		return strings.TrimSpace(s)
	}
	for {
		n, err := strconv.Atoi(strings.TrimPrefix(line(), "*"))
		if err != nil {
			return
		}
		var args []string
		for range n {
			line()
			args = append(args, line())
		}
		reply := answer(args)
		if reply == "" {
			return
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

// record runs do on a session whose only node is at addr and returns what was recorded.
func record(t *testing.T, addr string, do func(s *session)) (ops []history.Op) {
	t.Helper()
	var b bytes.Buffer
	w := history.NewWriter(&b)
	s := newSession(t.Context(), Options{Seeds: []string{addr}, Clients: 4, Seed: 1, History: w, Timeout: 5 * time.Second}, 1)
	do(s)
	s.close()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := history.Read(&b, func(op history.Op) error { ops = append(ops, op); return nil }); err != nil {
		t.Fatal(err)
	}
	return ops
}

// node answers CLUSTER SLOTS with itself and everything else with replies, by the command's name.
func node(t *testing.T, replies map[string]string) string {
	var addr string
	addr = serve(t, func(args []string) string {
		if args[0] == "CLUSTER" {
			host, port, _ := net.SplitHostPort(addr)
			return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$" + strconv.Itoa(len(host)) + "\r\n" + host + "\r\n:" + port + "\r\n"
		}
		return replies[args[0]]
	})
	return addr
}

func TestTransactionsHaveTruthfulOutcomes(t *testing.T) {
	const ok, queued = "+OK\r\n", "+QUEUED\r\n"
	for name, c := range map[string]struct {
		replies map[string]string
		want    history.Outcome
	}{
		"EXEC answers":                {map[string]string{"MULTI": ok, "SET": queued, "EXEC": "*1\r\n+OK\r\n"}, history.Applied},
		"EXEC aborts":                 {map[string]string{"MULTI": ok, "SET": "-MOVED 1 a:1\r\n", "EXEC": "-EXECABORT\r\n"}, history.Failed},
		"a watched key changed":       {map[string]string{"MULTI": ok, "SET": queued, "EXEC": "*-1\r\n"}, history.Failed},
		"EXEC is uncertain":           {map[string]string{"MULTI": ok, "SET": queued, "EXEC": "-UNCERTAIN perhaps\r\n"}, history.Unknown},
		"no answer to EXEC":           {map[string]string{"MULTI": ok, "SET": queued}, history.Unknown},
		"a command inside it failed":  {map[string]string{"MULTI": ok, "SET": queued, "EXEC": "*1\r\n-WRONGTYPE\r\n"}, history.Unknown},
		"MULTI refused, SET done":     {map[string]string{"MULTI": "-ERR\r\n", "SET": ok, "EXEC": "-ERR EXEC without MULTI\r\n"}, history.Unknown},
		"fewer replies than commands": {map[string]string{"MULTI": ok, "SET": queued, "EXEC": "*0\r\n"}, history.Unknown},
	} {
		ops := record(t, node(t, c.replies), func(s *session) {
			s.multi(s.begin("set", "k", "v"), []string{"SET", "k", "v"})
		})
		if len(ops) != 1 || ops[0].Outcome != c.want {
			t.Errorf("%s: %+v, want %s", name, ops, c.want)
		}
	}
}

func TestAProcessEndsWithItsFirstUnknownOutcome(t *testing.T) {
	addr := node(t, map[string]string{"SET": "-UNCERTAIN perhaps\r\n", "GET": "$-1\r\n"})
	ops := record(t, addr, func(s *session) { s.get("k"); s.set("k"); s.get("k") })
	if len(ops) != 3 || ops[0].Process != ops[1].Process || ops[1].Process == ops[2].Process {
		t.Errorf("got %+v", ops)
	}
}

func TestAPipelineThatBreaksIsUnknownFromThere(t *testing.T) {
	n := 0
	addr := node(t, nil)
	answers := serve(t, func(args []string) string {
		if args[0] == "CLUSTER" {
			return ""
		}
		if n++; n > 1 {
			return ""
		}
		return "+OK\r\n"
	})
	ops := record(t, addr, func(s *session) {
		conn, err := client.Dial(t.Context(), answers, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		// The session believes that this connection leads to the owner.
		if _, err := s.pin("k"); err != nil {
			t.Fatal(err)
		}
		s.unpin(addr)
		s.pinned[addr] = conn
		pipelineStep(s, "k")
	})
	for i, op := range ops {
		if want := i == 0; (op.Outcome == history.Applied) != want || !want && op.Outcome != history.Unknown {
			t.Errorf("operation %d of a broken pipeline: %+v", i, op)
		}
	}
	if len(ops) < 2 {
		t.Errorf("got %d operations", len(ops))
	}
}

func TestPaddingComesOff(t *testing.T) {
	for _, size := range []int{0, 1, 100, 1 << 20} {
		v := padded("3-77", size)
		if got := unpadded([]*string{&v, nil}); *got[0] != "3-77" || got[1] != nil || len(v) < size-10 {
			t.Errorf("%d bytes: %.40q", size, *got[0])
		}
	}
	v := padded("3-77", 100)
	for name, damaged := range map[string]string{
		"cut short": v[:len(v)-20], "one byte changed": strings.Replace(v, "3-77,3", "3-77,4", 1), "two joined": v + v, "plain": "3-77",
	} {
		if got := unpadded([]*string{&damaged}); *got[0] == "3-77" {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func TestAStaleClientGoesWhereItIsSent(t *testing.T) {
	owner := serve(t, func(args []string) string {
		if args[0] == "SET" {
			return "+OK\r\n"
		}
		return "$1\r\nx\r\n"
	})
	other := serve(t, func([]string) string { return "-MOVED 1 " + owner + "\r\n" })
	ops := record(t, other, func(s *session) {
		for range 10 {
			staleStep(s, "k")
		}
	})
	for _, op := range ops {
		if op.Outcome != history.Applied {
			t.Errorf("%+v", op)
		}
	}
	var round string
	round = serve(t, func([]string) string { return "-MOVED 1 " + round + "\r\n" })
	if ops := record(t, round, func(s *session) { staleStep(s, "k") }); ops[0].Outcome != history.Failed {
		t.Errorf("sent round for ever: %+v", ops[0])
	}
}

func TestALazyReaderGetsItsReplies(t *testing.T) {
	v := padded("1-1", lazyValue)
	addr := node(t, map[string]string{"GET": "$" + strconv.Itoa(len(v)) + "\r\n" + v + "\r\n", "SET": "+OK\r\n"})
	reads := 0
	for _, op := range record(t, addr, func(s *session) {
		for range 30 {
			lazyStep(s, "k")
		}
	}) {
		if op.Outcome != history.Applied || op.Kind == "get" && *op.Reply[0] != "1-1" {
			t.Fatalf("%+v", op)
		}
		if op.Kind == "get" {
			reads++
		}
	}
	if reads < lazyReads {
		t.Errorf("only %d reads", reads)
	}
}

func TestObjectsRotate(t *testing.T) {
	r := &ring{name: "n"}
	seen := map[string]int{}
	for range 2*perKey + 1 {
		seen[r.next()]++
	}
	used := r.used()
	if len(used) != 3 || len(seen) != 3 || seen[used[0]] != perKey || seen[used[2]] != 1 {
		t.Errorf("used %v, seen %v", used, seen)
	}
}

// TestEveryWorkloadWritesWhatItsJudgesKnow runs every step against a node that refuses all: what is recorded must be well formed.
func TestEveryWorkloadWritesWhatItsJudgesKnow(t *testing.T) {
	for _, spec := range Specs() {
		addr := serve(t, func([]string) string { return "-CLUSTERDOWN no quorum\r\n" })
		ctx, cancel := context.WithCancel(t.Context())
		var b bytes.Buffer
		w := history.NewWriter(&b)
		run := Start(ctx, spec, Options{Seeds: []string{addr}, Clients: 2, Seed: 1, History: w, Timeout: time.Second})
		for w.Counts().Total() < 20 {
			sleep.For(ctx, time.Millisecond)
		}
		cancel()
		run.Wait()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		var ops []history.Op
		if err := history.Read(&b, func(op history.Op) error { ops = append(ops, op); return nil }); err != nil {
			t.Fatalf("%s: %v", spec.Name, err)
		}
		if err := check.Sound(ops); err != nil {
			t.Errorf("%s: %v", spec.Name, err)
		}
		for _, r := range check.Judge(spec.Rules(Conditions{}), ops, check.Limits{Timeout: time.Minute}) {
			if !r.OK {
				t.Errorf("%s: %+v", spec.Name, r)
			}
		}
	}
}

// A node that is cut off says that it can't serve, and has an old map: clients must ask others then.
func TestAClientTurnsAwayFromANodeThatIsCutOff(t *testing.T) {
	slots := func(addr string) string {
		host, port, _ := net.SplitHostPort(addr)
		return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$" + strconv.Itoa(len(host)) + "\r\n" + host + "\r\n:" + port + "\r\n"
	}
	var cut, good string
	cut = serve(t, func(args []string) string {
		if args[0] == "CLUSTER" {
			return slots(cut)
		}
		return "-CLUSTERDOWN cut off\r\n"
	})
	good = serve(t, func(args []string) string {
		switch args[0] {
		case "CLUSTER":
			return slots(good)
		case "EXEC":
			return "*1\r\n:1\r\n"
		}
		return "+OK\r\n"
	})
	for name, do := range map[string]func(*session){
		"single commands": func(s *session) { s.set("k") },
		"transactions":    func(s *session) { s.multi(s.begin("txn", "k", "append x e"), []string{"APPEND", "k", "e."}) },
	} {
		var b bytes.Buffer
		w := history.NewWriter(&b)
		s := newSession(t.Context(), Options{Seeds: []string{cut, good}, Clients: 4, Seed: 1, History: w, Timeout: 5 * time.Second}, 1)
		do(s)
		first := s.failed
		do(s)
		if !first || s.failed {
			t.Errorf("%s: the first failed: %v, the second failed: %v", name, first, s.failed)
		}
		s.close()
	}
}
