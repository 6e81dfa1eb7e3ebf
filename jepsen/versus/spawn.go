package versus

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/quorate/quorate/jepsen/process"
)

// child is a process of a peer.
type child struct {
	cmd *exec.Cmd
	log string
	// ended is closed when the process has been waited for: one that has not is a zombie, whose CPU time stands still.
	ended chan struct{}
}

// spawned are processes of a peer.
type spawned []*child

// start starts a program whose output goes to the file log.
func (s *spawned) start(log, program string, args ...string) error {
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = process.EndsWithUs()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	c := &child{cmd, log, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its state tells how it ended
		close(c.ended)
	}()
	*s = append(*s, c)
	return nil
}

func (s spawned) pids() (out []int) {
	for _, c := range s {
		out = append(out, c.cmd.Process.Pid)
	}
	return out
}

// exited is an error if a process has ended, with the last words of its log.
func (s spawned) exited() error {
	for _, c := range s {
		select {
		case <-c.ended:
			name := strings.TrimSuffix(filepath.Base(c.log), ".log")
			return fmt.Errorf("%s ended by itself: %v: %s", name, c.cmd.ProcessState, process.LastWords(c.log))
		default:
		}
	}
	return nil
}

// kill ends all processes and waits for them.
func (s spawned) kill() {
	for _, c := range s {
		_ = c.cmd.Process.Kill() // one that has ended by itself is as good
	}
	for _, c := range s {
		<-c.ended
	}
}

// claim refuses n ports from first on, and those above them, that somebody has: it is their server that would be filled and measured.
func claim(first, n int, above ...int) error {
	for _, plus := range append([]int{0}, above...) {
		for i := range n {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+plus+i)))
			if err != nil {
				return fmt.Errorf("%w (choose another --port)", err)
			}
			l.Close()
		}
	}
	return nil
}

// firstLine is what a program says first, such as its version.
func firstLine(ctx context.Context, program string, args ...string) string {
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return program + ": " + err.Error()
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
