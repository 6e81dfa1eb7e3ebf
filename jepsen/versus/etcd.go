package versus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/quorate/quorate/client/load"
)

// startEtcd starts three members at 127.0.0.1, from the site's port up.
func startEtcd(ctx context.Context, s Site) (_ *running, err error) {
	if err := claim(s.Port, 2*copies); err != nil {
		return nil, err
	}
	var procs spawned
	defer func() {
		if err != nil {
			procs.kill()
		}
	}()
	r := &running{version: firstLine(ctx, "etcd", "--version") + ", " + etcdProcs()}
	var members []string
	for i := range copies {
		r.addrs = append(r.addrs, fmt.Sprintf("http://127.0.0.1:%d", s.Port+i))
		members = append(members, fmt.Sprintf("m%d=http://127.0.0.1:%d", i, s.Port+copies+i))
	}
	for i, addr := range r.addrs {
		name, peer, _ := strings.Cut(members[i], "=")
		home := filepath.Join(s.Dir, "etcd-"+name)
		if err := procs.start(home+".log", "etcd",
			"--name", name, "--data-dir", home, "--listen-client-urls", addr, "--advertise-client-urls", addr,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(members, ","), "--initial-cluster-state", "new"); err != nil {
			return nil, fmt.Errorf("%w (Debian: apt install etcd-server)", err)
		}
	}
	r.pids, r.command, r.exited, r.stop = procs.pids(), commandLine(procs[0].cmd.Args, s.Dir), procs.exited, procs.kill
	r.open = func(_ context.Context, i int) (load.Store, error) { return dialEtcd(r.addrs[i%copies]) }
	ready, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	for _, addr := range r.addrs {
		if err := r.await(ready, addr+" is healthy", func() bool { return healthy(ready, addr) }); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// etcdProcs says how many processors each member's Go code has: more than Quorate's nodes, which get a part of all each.
func etcdProcs() string {
	if set := os.Getenv("GOMAXPROCS"); set != "" {
		return "GOMAXPROCS=" + set
	}
	return fmt.Sprintf("GOMAXPROCS %d (Go's default)", runtime.NumCPU())
}

// healthy: the member knows a leader and can write.
func healthy(ctx context.Context, addr string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr+"/health", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// callTime bounds one operation, as the load generator bounds one pipeline of Redis's protocol.
const callTime = 10 * time.Second

// etcdStore is one gRPC connection to one member.
type etcdStore struct {
	c *clientv3.Client
	// patience bounds one operation: gRPC's own wait for ever.
	patience time.Duration
}

func dialEtcd(addr string) (load.Store, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	return etcdStore{c, callTime}, err
}

func (e etcdStore) Get(ctx context.Context, key []byte) (found bool, err error) {
	err = e.bounded(ctx, func(ctx context.Context) error {
		r, err := e.c.Get(ctx, string(key))
		found = err == nil && len(r.Kvs) > 0
		return err
	})
	return found, err
}

func (e etcdStore) Set(ctx context.Context, key, value []byte) error {
	return e.bounded(ctx, func(ctx context.Context) error {
		_, err := e.c.Put(ctx, string(key), string(value))
		return err
	})
}

var errNoAnswer = errors.New("no answer")

// bounded ends a call after patience, but not by a deadline: gRPC would tell etcd of that with each call, and what etcd spends on it no
// other system has to.
func (e etcdStore) bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	impatient := time.AfterFunc(e.patience, func() { cancel(errNoAnswer) })
	defer impatient.Stop()
	err := call(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) { // gRPC's says "canceled", as if the caller had ended it
		return fmt.Errorf("%w for %v", errNoAnswer, e.patience)
	}
	return err
}

func (e etcdStore) Close() error { return e.c.Close() }
