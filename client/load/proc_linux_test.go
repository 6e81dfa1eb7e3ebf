package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// burner is a server process whose child computes until the first line of its input, when it is ended and waited for; the server ends
// with the second.
const burner = `while :; do :; done & echo $!; read line; kill $!; wait $!; echo waited; read line`

// mustCPU is CPUTime of processes that are there.
func mustCPU(t *testing.T, pids ...int) time.Duration {
	t.Helper()
	d, err := CPUTime(pids)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestChildrenAreBilled: what a server has a child do costs as much as what it does itself, while the child lives and afterwards.
func TestChildrenAreBilled(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", burner)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // the child, too, if this fails
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	server := cmd.Process.Pid
	const enough = 20 * clockTick
	burnt := mustCPU(t, child)
	for ; burnt < enough; burnt = mustCPU(t, child) {
		time.Sleep(clockTick)
	}
	if got := mustCPU(t, server); got < burnt {
		t.Errorf("a server whose child took %v took %v", burnt, got)
	}
	if twice, once := mustCPU(t, child, server, child), mustCPU(t, server); twice > once {
		t.Errorf("%v and then %v: a child that is named too is counted twice", twice, once)
	}
	fmt.Fprintln(in)
	if line, err := lines.ReadString('\n'); err != nil || line != "waited\n" {
		t.Fatalf("the server says %q, %v", line, err)
	}
	if got := mustCPU(t, server); got < burnt-2*clockTick { // user and system time are rounded down
		t.Errorf("a server whose child had taken %v took %v", burnt, got)
	}
	fmt.Fprintln(in)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestAnInterruptionOfTheServersTooTellsWhatItSaw: Ctrl-C reaches all processes of a terminal.
func TestAnInterruptionOfTheServersTooTellsWhatItSaw(t *testing.T) {
	server := exec.Command("sleep", "600")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plan := smallPlan(storedKeys(t))
	plan.Duration, plan.Interval, plan.Pids = time.Hour, time.Hour, []int{server.Process.Pid}
	plan.Progress = func(Progress) {
		_ = server.Process.Kill()
		_ = server.Wait() // says that it was killed
		cancel()
	}
	if r, err := Run(ctx, plan); !r.Interrupted || r.Ops == 0 || !errors.Is(err, context.Canceled) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestCPUTimeIsFine: finer than the ticks in /proc, and the same time.
func TestCPUTimeIsFine(t *testing.T) {
	if _, ok := processClock(os.Getpid()); !ok {
		t.Skip("this kernel has no clock for it")
	}
	before, _, err := statTimes(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	d := mustCPU(t, os.Getpid())
	after, waitedFor, err := statTimes(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if d%clockTick == 0 {
		t.Errorf("CPU time %v is a whole number of ticks", d)
	}
	if d < before || d > after+waitedFor+2*clockTick {
		t.Errorf("CPU time %v, and before and after that /proc says %v and %v", d, before, after+waitedFor)
	}
}
