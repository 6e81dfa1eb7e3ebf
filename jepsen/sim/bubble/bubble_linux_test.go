package bubble

import (
	"bytes"
	crypto "crypto/rand"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These, in the environment, make the test binary throw dice, or leak a goroutine.
const inChild, leaking = "BUBBLE_TEST_SEED", "BUBBLE_TEST_LEAK"

func leak(c chan int) { <-c }

func TestMain(m *testing.M) {
	seed, err := strconv.ParseUint(os.Getenv(inChild), 10, 64)
	if err != nil {
		os.Exit(m.Run())
	}
	Prepare()
	garbage = 8 << 20
	var out string
	f := func() { out = dice() }
	switch os.Getenv(leaking) {
	case "excused":
		stuck = append(stuck, "bubble.leak(")
		fallthrough
	case "not excused":
		f = func() { go leak(make(chan int)) }
	}
	if err := Run(seed, f); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(out, "steady:", Steady())
}

// dice draws from every source of randomness that there is.
func dice() string {
	var out strings.Builder
	m := map[int]bool{}
	for i := range 30 {
		m[i] = true
	}
	for k := range m {
		fmt.Fprint(&out, k, " ")
	}
	c := make(chan int, 50)
	d := make(chan int, 50)
	for i := range 50 {
		c <- i
		d <- -i
	}
	for range 50 {
		select {
		case v := <-c:
			fmt.Fprint(&out, v, " ")
		case v := <-d:
			fmt.Fprint(&out, v, " ")
		}
	}
	var b [8]byte
	crypto.Read(b[:])
	fmt.Fprintf(&out, "%x %d %d ", b, rand.Int63(), randv2.Uint64())
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range 20 {
		wg.Go(func() {
			for range 50 {
				time.Sleep(time.Duration(rand.Intn(1000)) * time.Millisecond)
				mu.Lock()
				out.WriteByte(byte('a' + i))
				mu.Unlock()
			}
		})
	}
	kept := [][]byte{}
	for range 30 {
		kept = append(kept, make([]byte, 1<<20))
		if len(kept) == 8 {
			kept = nil
		}
		time.Sleep(time.Second)
		Settle(1)
	}
	wg.Wait()
	fmt.Fprintf(&out, " collected %d times", collections.Load())
	fmt.Fprintf(&out, " thread %d", syscall.Gettid()-syscall.Getpid())
	return out.String()
}

func throw(t *testing.T, seed uint64) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), Env...)
	cmd.Env = append(cmd.Env, fmt.Sprint(inChild, "=", seed))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := Start(cmd, seed); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || errs.Len() > 0 {
		t.Fatalf("%v\n%s", err, &errs)
	}
	return out.String()
}

// The same seed gives the same run, another one another, and nothing is printed but what the program prints.
func TestSeedDecidesEverything(t *testing.T) {
	first := throw(t, 7)
	if strings.Contains(first, "collected 0 times") {
		t.Error("no garbage was collected")
	}
	if strings.Count(first, "\n") != 1 || len(first) < 1000 || !strings.HasSuffix(first, "steady: true\n") {
		t.Fatalf("the child printed %q", first)
	}
	for range 4 {
		if again := throw(t, 7); again != first {
			t.Fatalf("the same seed gave another run: they differ from byte %d of %d on:\n%s%s", common(first, again), len(first), first, again)
		}
	}
	if throw(t, 8) == first {
		t.Error("another seed gave the same run")
	}
}

// Goroutines that remain end the process, but for those of hand-overs that raft has forgotten.
func TestOnlyForgottenHandOversMayRemain(t *testing.T) {
	for _, mode := range []string{"excused", "not excused"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = slices.Concat(os.Environ(), Env, []string{inChild + "=1", leaking + "=" + mode})
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := Start(cmd, 1); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if mode == "excused" && (err != nil || errs.Len() > 0) || mode != "excused" && (err == nil || !strings.Contains(errs.String(), "blocked goroutines remain")) {
			t.Errorf("%s: %v\n%s", mode, err, &errs)
		}
	}
	raft := "goroutine 9 [chan send (durable), synctest bubble 1]:\ngithub.com/hashicorp/raft.(*Raft).leadershipTransfer(0x1)\n\t/raft.go:1003 +0x129\n" +
		"created by github.com/hashicorp/raft.(*Raft).leaderLoop in goroutine 253\n"
	other := strings.ReplaceAll(raft, "leadershipTransfer", "runFSM")
	mine := "goroutine 1 [chan receive]:\ntesting.(*T).Run(0x1)\n\t/testing.go:2109 +0x4e5\n"
	for stacks, want := range map[string]bool{mine + "\n" + raft: true, raft + "\n" + other: false, mine: false} {
		if got := onlyStuck(stacks); got != want {
			t.Errorf("excused: %v, want %v:\n%s", got, want, stacks)
		}
	}
}

// common is the length of what two runs have in common.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
