package main

import (
	"bufio"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// started runs a cluster in a process of its own, by a line of the shell in which $0 is this program, and waits until it serves. Its folder
// is in dir.
func started(t *testing.T, line, dir string) *exec.Cmd {
	t.Helper()
	c := exec.Command("sh", "-c", line, os.Args[0])
	c.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	// Nothing waits for it longer than that, and nothing that has ended is left of it.
	limit := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	said := bufio.NewScanner(out)
	for said.Scan() {
		if strings.Contains(said.Text(), "Ctrl-C stops it") {
			return c
		}
	}
	t.Fatal("it ended before it served")
	return nil
}

// hangUp closes the terminal: the kernel tells the process, and so does its shell.
func hangUp(t *testing.T, c *exec.Cmd) {
	t.Helper()
	for range 2 {
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // two at once may be one
	}
}

// TestAClosedTerminalEndsTheCluster in order: it leaves no folder behind.
func TestAClosedTerminalEndsTheCluster(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("nohup runs this test, so the cluster is to outlive the terminal")
	}
	dir := t.TempDir()
	c := started(t, `exec "$0" dev --port 22021`, dir)
	hangUp(t, c)
	if err := c.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestNohupOutlivesTheTerminal(t *testing.T) {
	c := started(t, `trap "" HUP; exec "$0" dev --port 22121`, t.TempDir())
	hangUp(t, c)
	if out, err := quorate(t, "cluster", "status", "--addr", "127.0.0.1:22121"); err != nil {
		t.Errorf("after the terminal was closed: %v\n%s", err, out)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
