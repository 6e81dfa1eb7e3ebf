package fsm_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisServer is a real redis-server in cluster mode that owns all slots, on a Unix socket.
type redisServer struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not on PATH: install Debian's redis-server (apt-get install redis-server) to compare with real Redis")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	port := freePort(t)
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--unixsocket", socket, "--dir", dir, "--save", "",
		"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--daemonize", "no", "--enable-debug-command", "yes")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() && log.Len() > 0 {
			t.Logf("redis-server's log:\n%s", log.String())
		}
	})
	s := &redisServer{t: t, conn: dialUntilUp(t, socket)}
	s.r = bufio.NewReader(s.conn)
	t.Cleanup(func() { s.conn.Close() })
	s.do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	awaitTrue(t, "the one-node cluster is up", func() bool { return strings.Contains(s.do("CLUSTER", "INFO"), "cluster_state:ok") })
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	// Cluster mode also takes port+10000.
	for port := 21000; port < 30000; port += 17 {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		bus, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+10000))
		l.Close()
		if err == nil {
			bus.Close()
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

func dialUntilUp(t *testing.T, socket string) (conn net.Conn) {
	t.Helper()
	awaitTrue(t, "redis-server listens", func() bool {
		var err error
		conn, err = net.Dial("unix", socket)
		return err == nil
	})
	return conn
}

func awaitTrue(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s until %s", what)
		}
	}
}

// do sends one command and returns its raw reply.
func (s *redisServer) do(args ...string) string {
	s.t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := s.conn.Write(b.Bytes()); err != nil {
		s.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := copyReply(s.r, &out); err != nil {
		s.t.Fatalf("%q: read reply: %v", args, err)
	}
	return out.String()
}

// copyReply copies one RESP2 or RESP3 reply as it stands on the wire.
func copyReply(r *bufio.Reader, out *bytes.Buffer) error {
	line, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	out.WriteString(line)
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			_, err = io.CopyN(out, r, int64(n)+2)
		}
	case '%':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for ; n > 0 && err == nil; n-- {
			err = copyReply(r, out)
		}
	}
	return err
}
