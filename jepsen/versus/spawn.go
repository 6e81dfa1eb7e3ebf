package versus

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/process"
)

// spawned are processes of a peer.
type spawned []*exec.Cmd

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
	*s = append(*s, cmd)
	return nil
}

func (s spawned) pids() (out []int) {
	for _, p := range s {
		out = append(out, p.Process.Pid)
	}
	return out
}

// kill ends all processes and waits for them.
func (s spawned) kill() {
	for _, p := range s {
		_ = p.Process.Kill() // one that has ended by itself is as good
	}
	for _, p := range s {
		_ = p.Wait() // "signal: killed" is what we asked for
	}
}

// await asks until done, or says what it waited for.
func await(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(50 * time.Millisecond):
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
