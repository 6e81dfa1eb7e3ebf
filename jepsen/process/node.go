package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Node is one server process; it can be killed and started again with the same data.
type Node struct {
	index     int
	host      string
	port      int
	namespace string
	binary    string
	dir       string
	args      []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has been waited for
	err  error         // why the process ended, if nobody asked it to
	kill bool          // somebody asked it to end
}

// Addr is the client address.
func (n *Node) Addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

// HTTP is the base URL of the operator's port.
func (n *Node) HTTP() string { return fmt.Sprintf("http://%s:%d", n.host, n.port+1000) }

// Index is the node's place in the cluster, from 0.
func (n *Node) Index() int { return n.index }

// Log is the path of the file that holds all the node's processes wrote.
func (n *Node) Log() string { return filepath.Join(n.dir, fmt.Sprintf("node%d.log", n.index+1)) }

// Start starts the process; it must not run already.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	argv := append([]string{n.binary}, n.args...)
	if n.namespace != "" {
		argv = append([]string{"ip", "netns", "exec", n.namespace}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	// The server must not outlive a test that panics.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.Addr(), err)
	}
	n.cmd, n.done, n.err, n.kill = cmd, make(chan struct{}), nil, false
	go n.wait(cmd, n.done)
	return nil
}

func (n *Node) wait(cmd *exec.Cmd, done chan struct{}) {
	err := cmd.Wait()
	n.mu.Lock()
	if !n.kill {
		n.err = fmt.Errorf("%s ended by itself: %v (log: %s)", n.Addr(), err, n.Log())
	}
	n.cmd = nil
	n.mu.Unlock()
	close(done)
}

// Exited returns an error if the process ended without being asked to.
func (n *Node) Exited() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
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
	n.kill = n.kill || ends
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
