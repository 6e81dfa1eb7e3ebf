package versus

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// needsRedis skips without Redis's programs.
func needsRedis(t *testing.T) {
	for _, program := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
}

func TestAPeerThatDoesNotStartSaysWhy(t *testing.T) {
	needsRedis(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := startRedis(ctx, Site{Dir: t.TempDir(), Port: 21501}, []string{"--no-such-flag", "7"})
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the end of the process", err)
	}
	for _, want := range []string{"redis-215", "exit status 1", "no-such-flag"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// Not even if it answers: whoever waits until somebody does would fill it.
func TestAServerThatHoldsAPortIsNotMeasured(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:21524")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, s := range Systems() {
		site := Site{Binary: os.Args[0], Dir: t.TempDir(), Port: 21520}
		if !s.isPeer() {
			site.Port = 21524 - 50
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := s.start(ctx, site)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "21524: bind") {
			t.Errorf("%s: got %v, want that the port is taken", s.Name, err)
		}
	}
}

// killAfter kills the process of the Redis that listens at addr when it is told of something.
func killAfter(t *testing.T, what, addr string) func(string, ...any) {
	killed := false
	return func(format string, _ ...any) {
		if killed || !strings.Contains(format, what) {
			return
		}
		killed = true
		info, err := ask(t.Context(), addr, "INFO server")
		found := regexp.MustCompile(`process_id:(\d+)`).FindStringSubmatch(info)
		if err != nil || found == nil {
			t.Errorf("no process at %s: %v", addr, err)
			return
		}
		pid, _ := strconv.Atoi(found[1])
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
}

// A replica that dies would take its part of the CPU time with it: what was measured from then on is worth nothing, what was before is.
func TestAPeerThatDiesEndsTheMeasurement(t *testing.T) {
	needsRedis(t)
	o := Options{
		Site: Site{Dir: t.TempDir(), Port: 21541}, Systems: []string{"redis-everysec"}, Pairs: 1, Pipelines: []int{1}, Hits: 1,
		Clients: 3, Keys: 100, ValueSize: 8, Duration: 200 * time.Millisecond, Progress: killAfter(t, "server CPU per operation", "127.0.0.1:21549"),
	}
	r, err := Compare(t.Context(), o)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"redis-21549 ended by itself: signal: killed", "its log ends with"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if c, ok := r.Results.(Comparison); !ok || len(c.Rows) != 1 || c.Rows[0].Command != "SET" {
		t.Errorf("got %+v, want what was measured before", r.Results)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "redis-everysec-0", "redis-21549.log")); err != nil {
		t.Errorf("the log is gone: %v", err)
	}
}
