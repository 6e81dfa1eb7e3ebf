package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/quorate/quorate/rpc/node/testfaults"
)

// Node is one server process; it can be killed and started again with the same data.
type Node struct {
	cluster   *Cluster
	index     int
	host      string
	peerHost  string
	port      int
	namespace string
	dir       string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has been waited for
	// ends says that the process was told to end, or may.
	ends bool
	// exits are the ends that nobody asked for; the newest one is the present if the process does not run.
	exits []error
}

// Start starts the process; it must not run already.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	argv := n.cluster.system.Args(n.cluster, n.index)
	if n.namespace != "" {
		argv = append([]string{"ip", "netns", "exec", n.namespace}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = EndsWithUs()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.Addr(), err)
	}
	n.cmd, n.done, n.ends = cmd, make(chan struct{}), false
	go n.wait(cmd, n.done)
	return nil
}

func (n *Node) wait(cmd *exec.Cmd, done chan struct{}) {
	err := cmd.Wait()
	n.mu.Lock()
	if !n.ends {
		n.exits = append(n.exits, fmt.Errorf("%s ended by itself: %v (log: %s)", n.Addr(), err, n.Log()))
	}
	n.cmd = nil
	n.mu.Unlock()
	close(done)
}

// Exited returns an error if the process is down without having been asked to end.
func (n *Node) Exited() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil && !n.ends && len(n.exits) > 0 {
		return n.exits[len(n.exits)-1]
	}
	return nil
}

// Bounds on what is shown of a log.
const lastLines, lastBytes = 3, 2 << 10

// portHint says what to do about a port that somebody has. Linux gives ports from ephemeralPorts on to any outgoing connection.
func portHint(log string, port int) string {
	switch {
	case !strings.Contains(log, "address already in use"):
		return ""
	case port+10000 >= ephemeralPorts:
		return fmt.Sprintf(" (peers use client port + 10000: choose a --port below %d, where no outgoing connection has that)", ephemeralPorts-10000-20)
	}
	return " (choose another --port)"
}

// ephemeralPorts is where Linux's own range begins (net.ipv4.ip_local_port_range).
const ephemeralPorts = 32768

// lastWords are the end of the node's log, and what may help.
func (n *Node) lastWords() string {
	words := LastWords(n.Log())
	return words + portHint(words, n.port)
}

// LastWords are the end of a log: a process that ends by itself says why.
func LastWords(log string) string {
	b, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	b = bytes.TrimSpace(b[max(0, len(b)-lastBytes):])
	if len(b) == 0 {
		return "its log is empty"
	}
	lines := strings.Split(string(b), "\n")
	return "its log ends with: " + strings.Join(lines[max(0, len(lines)-lastLines):], "; ")
}

// Exits are all the times when the process ended without having been asked to.
func (n *Node) Exits() []error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.exits)
}

// MayEnd says that the running process may end by itself: it is about to be hurt in a way that should stop it.
func (n *Node) MayEnd() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends = true
}

// MustRun takes MayEnd back, if the process still runs.
func (n *Node) MustRun() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends = n.cmd == nil
}

// Order hurts the node's clock and disk; the zero value heals them. It needs Options.Faults.
func (n *Node) Order(o testfaults.Orders) error { return o.Save(n.faults()) }

// Wipe removes the data of a node that does not run: its next start is that of a new node.
func (n *Node) Wipe() error {
	if n.Pid() != 0 {
		return fmt.Errorf("%s runs: its data can't be removed", n.Addr())
	}
	entries, err := os.ReadDir(n.Data())
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(n.Data(), e.Name())))
	}
	return err
}

// Pid is the process id, 0 while the node is down.
func (n *Node) Pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// signal sends s to the running process and returns the channel that is closed at its end; nil if it is down.
func (n *Node) signal(s syscall.Signal, ends bool) chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return nil
	}
	n.ends = n.ends || ends
	// An error means that the process is gone, which wait will see.
	_ = n.cmd.Process.Signal(s)
	return n.done
}

// Kill ends the process with SIGKILL and waits for it.
func (n *Node) Kill() {
	if done := n.signal(syscall.SIGKILL, true); done != nil {
		<-done
	}
}

// Terminate ends the process with SIGTERM and waits; at ctx's end it kills it and returns an error.
func (n *Node) Terminate(ctx context.Context) error {
	done := n.signal(syscall.SIGTERM, true)
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		n.Kill()
		return errors.Join(fmt.Errorf("%s did not stop in time", n.Addr()), ctx.Err())
	}
}

// Pause stops the process's clock, so to speak: SIGSTOP.
func (n *Node) Pause() { n.signal(syscall.SIGSTOP, false) }

// Resume lets a paused process go on: SIGCONT.
func (n *Node) Resume() { n.signal(syscall.SIGCONT, false) }

func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, name, args...)
}
