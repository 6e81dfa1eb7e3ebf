package bubble

import (
	"runtime"
	"slices"
	"strings"
)

// stuck is what hashicorp/raft v1.8.0 leaves behind when leadership is lost while a hand-over waits for a follower that lags: a
// goroutine that offers the follower's replication, which has ended, one request more than fits (hashicorp/raft#696), and one
// that waits for it. Nobody can reach them any more. Package consensus sees to it that they do no harm (TestStuckTransferIsEnded).
var stuck = []string{"raft.(*Raft).leadershipTransfer(", "raft.(*Raft).leaderLoop.func2("}

// excuse, deferred, lets a run that has returned end although goroutines remain, if they are stuck hand-overs.
func excuse(returned *bool) {
	p := recover()
	if p == nil {
		return
	}
	buf := make([]byte, maxStacks)
	if !*returned || !onlyStuck(string(buf[:runtime.Stack(buf, true)])) {
		panic(p)
	}
}

// maxStacks is enough for the stacks of some hundred goroutines; of more, some are cut off, and no run is excused.
const maxStacks = 1 << 20

// onlyStuck reports whether all goroutines of a bubble in the stacks of all are stuck hand-overs.
func onlyStuck(stacks string) bool {
	found := 0
	for goroutine := range strings.SplitSeq(strings.TrimSpace(stacks), "\n\n") {
		heading, rest, _ := strings.Cut(goroutine, "\n")
		if !strings.Contains(heading, "synctest bubble") {
			continue
		}
		top, _, _ := strings.Cut(rest, "\n")
		if !slices.ContainsFunc(stuck, func(name string) bool { return strings.Contains(top, name) }) {
			return false
		}
		found++
	}
	return found > 0 && len(stacks) < maxStacks
}
