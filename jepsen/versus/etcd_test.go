package versus

import (
	"context"
	"net"
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
	if put := e.Set(ctx, []byte("k"), nil); err == nil || put == nil || ctx.Err() != nil {
		t.Errorf("get: %v, set: %v, and the caller's time is over: %v", err, put, ctx.Err())
	}
}
