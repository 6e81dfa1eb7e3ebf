package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHasReplies(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want bool
	}{
		{"", 1, false},
		{"+OK\r", 1, false},
		{"+OK\r\n", 1, true},
		{"+OK\r\n", 2, false},
		{"$-1\r\n:1\r\n", 2, true},
		{"$3\r\nabc", 1, false},
		{"$3\r\nabc\r\n", 1, true},
		{"$3\r\na\nc\r\n-ERR no\r\n", 2, true},
		{"$9223372036854775807\r\nabc\r\n", 1, false},
		{"$99999999999999999999\r\n", 1, true},
		{"$\r\n", 1, true},
	} {
		if got := hasReplies([]byte(c.in), c.n); got != c.want {
			t.Errorf("hasReplies(%q, %d) = %v", c.in, c.n, got)
		}
	}
}

// openPlan makes 50 pipelines per second on 5 connections.
func openPlan(addr string) Plan {
	return Plan{Seeds: []string{addr}, Clients: 5, Pipeline: 2, Keys: 100, KeySize: 16, ValueSize: 8, Rate: 100, Duration: 1500 * time.Millisecond}
}

// An open loop counts from when a pipeline was due, so what a server takes its time for shows up in those behind it, too.
func TestOpenLoopSendsWhatIsDue(t *testing.T) {
	var asked, late atomic.Int64
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		if asked.Add(1) == 20 {
			late.Add(1)
			time.Sleep(time.Second)
		}
		return "+OK\r\n"
	})
	res, err := Run(t.Context(), openPlan(addr))
	if err != nil {
		t.Fatal(err)
	}
	if late.Load() != 1 || res.Errors != 0 {
		t.Fatalf("%d stalls, %d errors", late.Load(), res.Errors)
	}
	if res.Ops == 0 || res.Ops > 170 {
		t.Errorf("%d operations in 1.5 seconds at 100 a second", res.Ops)
	}
	// The server's stall is the server's: only what the generator did by itself is its own lateness.
	if res.Late.Max == 0 || res.Late.Max >= 900_000 {
		t.Errorf("the generator was up to %d µs late by itself", res.Late.Max)
	}
	// The connection that stood still had a pipeline due each tenth of a second: ten of all 75 were late. Measured from when they were
	// sent, only the first was.
	if res.Max < 900_000 || res.P95 < 300_000 {
		t.Errorf("the longest wait is %d µs and p95 %d µs though the server stood still for a second", res.Max, res.P95)
	}
}

// TestAStandstillIsTold: to this process it is the same whether it alone is stopped, or the machine. Without
// real-time priority nobody can tell that from waiting for others, and nothing is told.
func TestAStandstillIsTold(t *testing.T) {
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		return "+OK\r\n"
	})
	const still = 400 * time.Millisecond
	stop := exec.Command("sh", "-c", `sleep 0.5; kill -STOP $1; sleep 0.4; kill -CONT $1`, "sh", strconv.Itoa(os.Getpid()))
	if err := stop.Start(); err != nil {
		t.Fatal(err)
	}
	res, err := Run(t.Context(), openPlan(addr))
	if err := errors.Join(err, stop.Wait()); err != nil {
		t.Fatal(err)
	}
	s := watchStill(newRecorder(Plan{}))
	s.end()
	if !s.watching() {
		if res.StoodStill != 0 || res.Disturbed != 0 || res.Undisturbed != (Latency{}) {
			t.Errorf("without real-time priority: stood still for %v, disturbed %v, the others %+v", res.StoodStill, res.Disturbed, res.Undisturbed)
		}
		return
	}
	if res.StoodStill < still/2 || res.Disturbed == 0 || res.Disturbed > 0.9 {
		t.Errorf("stood still for %v, at least %v were due; share of the disturbed %v", res.StoodStill, still, res.Disturbed)
	}
	if res.Max < (still/2).Microseconds() || res.Undisturbed.Max >= res.Max {
		t.Errorf("the longest wait is %d µs, undisturbed %d", res.Max, res.Undisturbed.Max)
	}
}

// TestChildrenOutliveTheWatch: those that end with the thread that started them, too. Each thread of this process may have.
func TestChildrenOutliveTheWatch(t *testing.T) {
	for range 20 {
		child := exec.Command("sleep", "60")
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		s := watchStill(newRecorder(Plan{}))
		s.end()
		if err := child.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatal(err)
		}
		if p, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child.Process.Pid)); err != nil || strings.Contains(string(p), ") Z") {
			t.Fatalf("the child has ended: %s, %v", p, err)
		}
		_ = child.Process.Kill()
		_ = child.Wait()
	}
}

// TestUnaskedRepliesEndAConnection, once, whether they come with the last reply or while nothing is asked.
func TestUnaskedRepliesEndAConnection(t *testing.T) {
	for _, later := range []time.Duration{0, 20 * time.Millisecond} {
		addr := commandServer(t, func(nc net.Conn, addr, cmd string) bool {
			if strings.HasPrefix(cmd, "CLUSTER") {
				_, err := nc.Write([]byte(slotsReply(addr)))
				return err == nil
			}
			if later == 0 {
				_, err := nc.Write([]byte("+OK\r\n+OK\r\n"))
				return err == nil
			}
			_, first := nc.Write([]byte("+OK\r\n"))
			time.Sleep(later)
			_, second := nc.Write([]byte("+OK\r\n"))
			return errors.Join(first, second) == nil
		})
		plan := openPlan(addr)
		plan.Clients, plan.Pipeline, plan.Rate, plan.Duration = 1, 1, 10, 500*time.Millisecond
		res, _ := Run(t.Context(), plan) // an error if that was all there was
		if res.Errors != 1 || res.FirstError != addr+": "+errUnasked.Error() {
			t.Errorf("after %v: %d operations, %d errors, the first %q", later, res.Ops, res.Errors, res.FirstError)
		}
	}
}

// TestAResetCountsOnce: a connection that was lost while it waited for its time sends nothing any more.
func TestAResetCountsOnce(t *testing.T) {
	var asked atomic.Int64
	addr := commandServer(t, func(nc net.Conn, addr, cmd string) bool {
		if strings.HasPrefix(cmd, "CLUSTER") {
			_, err := nc.Write([]byte(slotsReply(addr)))
			return err == nil
		}
		_, err := nc.Write([]byte("+OK\r\n"))
		if asked.Add(1) == 2 {
			time.Sleep(10 * time.Millisecond) // that the reply comes before the reset, after which the client can't even write
			_ = nc.(*net.TCPConn).SetLinger(0)
			return false
		}
		return err == nil
	})
	plan := openPlan(addr)
	plan.Clients, plan.Pipeline, plan.Rate, plan.Duration = 2, 1, 20, 500*time.Millisecond
	if res, err := Run(t.Context(), plan); err != nil || res.Errors != 1 {
		t.Errorf("%d errors, %v", res.Errors, err)
	}
}

// openFiles is how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// alone lets a test run in a process of its own, where no other has descriptors, and reports whether this is that one.
func alone(t *testing.T) bool {
	t.Helper()
	const set = "QUORATE_TEST_ALONE"
	if os.Getenv(set) != "" {
		return true
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	child.Env = append(os.Environ(), set+"=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestAnOpenLoopThatCannotStartIsAnError: it needs more descriptors than its connections; here it gets one or two.
func TestAnOpenLoopThatCannotStartIsAnError(t *testing.T) {
	if !alone(t) {
		return
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	var connected atomic.Int64
	addr := lineServer(t, func(addr, cmd string) string {
		switch {
		case strings.HasPrefix(cmd, "CLUSTER"):
			return slotsReply(addr)
		case strings.HasPrefix(cmd, "AUTH") && connected.Add(1) == 6: // one reads the slot map
			none, err := os.Open(os.DevNull)
			if err != nil {
				return ""
			}
			few := before
			few.Cur = uint64(none.Fd()) + 2
			if none.Close() != nil || syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few) != nil {
				return ""
			}
		}
		return "+OK\r\n"
	})
	plan := openPlan(addr)
	plan.Password = "secret"
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which closes files that were forgotten
	files := openFiles(t)
	res, err := Run(t.Context(), plan)
	if restored := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, syscall.EMFILE) {
		t.Errorf("got %+v, %v", res, err)
	}
	for deadline := time.Now().Add(5 * time.Second); openFiles(t) > files; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open, there were %d", openFiles(t), files)
		}
	}
}

// TestTheThreadGoesBackAsItWas, as others run on it next.
func TestTheThreadGoesBackAsItWas(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack := func() int {
		n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := slack()
	ended, end := context.WithCancel(t.Context())
	end()
	(&punctual{}).run(ended)
	if after := slack(); after != before {
		t.Errorf("timers are up to %d ns late, not %d", after, before)
	}
}

func TestOpenLoopReportsBrokenConnections(t *testing.T) {
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		return "$99999999999999999999\r\n"
	})
	res, err := Run(t.Context(), openPlan(addr))
	if err == nil || res.Ops != 0 || !strings.Contains(res.FirstError, addr) {
		t.Errorf("%v, %d operations, error %q: want none, and one that names %s", err, res.Ops, res.FirstError, addr)
	}
}
