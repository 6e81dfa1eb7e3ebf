package sim

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A process that simulates tells, on a pipe that it inherits, that virtual time goes on, so that whoever waits for it knows that
// it is not hung: that its goroutines do not hold each other up in a way that virtual time cannot end.
const (
	beatFile = 3
	// beatEvery is virtual time; it takes some tenths of a second.
	beatEvery = 10 * time.Second

	going   = '.'
	judging = 'j'
)

// A process is hung if it has computed for hungAfter since its last beat (much longer while it judges), or if hungLooks looks
// saw it not compute at all. Variables for a test.
var (
	hungAfter = time.Minute
	hungJudge = 10 * time.Minute
	lookPause = time.Second
)

const (
	hungLooks  = 60
	clockTicks = 100 // per second, in /proc
)

// beat writes one. Nobody may be listening.
func beat(what byte) { _, _ = syscall.Write(beatFile, []byte{what}) }

// beats are a process's, for the one that waits for it.
type beats struct {
	r, w  *os.File
	count atomic.Int64
	judge atomic.Bool
	hung  atomic.Bool
	ended chan struct{}
}

// listen prepares a command that is not started yet.
func listen(cmd *exec.Cmd) (*beats, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	cmd.ExtraFiles = []*os.File{w}
	return &beats{r: r, w: w, ended: make(chan struct{})}, nil
}

// watch begins to count. The process is told to print its goroutines and to end once it is hung.
func (b *beats) watch(p *os.Process) {
	b.w.Close()
	go b.read()
	go func() {
		ticker := time.NewTicker(lookPause)
		defer ticker.Stop()
		var l look
		for !l.hung(b.count.Load(), computed(p.Pid), b.judge.Load()) {
			select {
			case <-b.ended:
				return
			case <-ticker.C: // none while this process itself is stopped
			}
		}
		b.hung.Store(true)
		_ = p.Signal(quit)
	}()
}

func (b *beats) read() {
	var buf [64]byte
	for {
		n, err := b.r.Read(buf[:])
		if strings.IndexByte(string(buf[:n]), judging) >= 0 {
			b.judge.Store(true)
		}
		b.count.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// close ends it, after the process, and says whether that was hung.
func (b *beats) close() (hung bool) {
	close(b.ended)
	b.w.Close()
	b.r.Close()
	return b.hung.Load()
}

// look remembers what was seen of a process.
type look struct {
	beats int64
	// since is what it had computed at its last beat, cpu what it had at the last look; idle looks saw no change of that.
	since, cpu time.Duration
	idle       int
}

func (l *look) hung(beats int64, cpu time.Duration, judge bool) bool {
	l.idle++
	if beats != l.beats {
		l.beats, l.since, l.idle = beats, cpu, 0
	}
	if cpu != l.cpu {
		l.cpu, l.idle = cpu, 0
	}
	most := hungAfter
	if judge {
		most = hungJudge
	}
	return cpu-l.since > most || l.idle > hungLooks
}

// computed is the processor time of another process, 0 if that can't be known.
func computed(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold blanks; user and system time are the 12th and 13th of the words behind it.
	words := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(words[11], 10, 64)
	system, _ := strconv.ParseInt(words[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks
}
