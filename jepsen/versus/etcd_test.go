package versus

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEtcdsProcessorsAreNamed(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	if got := etcdProcs(); !strings.Contains(got, "default") {
		t.Errorf("without a setting: %s", got)
	}
	t.Setenv("GOMAXPROCS", "3")
	if got := etcdProcs(); got != "GOMAXPROCS=3" {
		t.Errorf("with 3: %s", got)
	}
}

// A member that accepts connections and says nothing, as one that is stopped does.
func TestAnEtcdThatDoesNotAnswerIsNotWaitedForForever(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := dialEtcd("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := s.(etcdStore)
	e.patience = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = e.Get(ctx, []byte("k"))
	if put := e.Set(ctx, []byte("k"), nil); !errors.Is(err, errNoAnswer) || !errors.Is(put, errNoAnswer) || ctx.Err() != nil {
		t.Errorf("get: %v, set: %v, and the caller's time is over: %v", err, put, ctx.Err())
	}
	cancel()
	if err := e.Set(ctx, []byte("k"), nil); err == nil || errors.Is(err, errNoAnswer) {
		t.Errorf("the caller's time is over, not the store's patience: %v", err)
	}
}

// TestEtcdIsToldOfNoDeadline, which would cost it CPU time that other systems don't spend.
func TestEtcdIsToldOfNoDeadline(t *testing.T) {
	calls, told := 0, ""
	member := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		told += r.Header.Get("Grpc-Timeout")
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "9") // a failed precondition, which the client does not try again
	}))
	member.Config.Protocols = new(http.Protocols)
	member.Config.Protocols.SetUnencryptedHTTP2(true)
	member.Start()
	s, err := dialEtcd(member.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, get := s.Get(t.Context(), []byte("k"))
	set := s.Set(t.Context(), []byte("k"), nil)
	s.Close()
	member.Close() // waits for the handlers
	if calls != 2 || told != "" {
		t.Errorf("%d calls (%v, %v), deadlines %q", calls, get, set, told)
	}
}
