package versus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/client"
)

// redisCluster is a running Redis Cluster of masters and replicas.
type redisCluster struct {
	addrs []string
	procs []*exec.Cmd
}

const (
	masters  = 3
	replicas = 2 // per master: three copies, as Quorate's
	// formTime bounds how long a Redis Cluster may take to form.
	formTime = 60 * time.Second
)

// startRedis starts masters*(1+replicas) processes at 127.0.0.1:port and up, and joins them.
func startRedis(ctx context.Context, dir string, port int, flags []string) (_ *redisCluster, err error) {
	r := &redisCluster{}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	for i := range masters * (1 + replicas) {
		p := strconv.Itoa(port + i)
		home := filepath.Join(dir, "redis-"+p)
		if err := os.MkdirAll(home, 0o700); err != nil {
			return nil, err
		}
		args := append([]string{
			"--port", p, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--dir", home, "--daemonize", "no",
			"--logfile", filepath.Join(home, "log"), "--save", "",
		}, flags...)
		cmd := exec.Command("redis-server", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start redis-server (Debian package redis-server): %w", err)
		}
		r.procs = append(r.procs, cmd)
		r.addrs = append(r.addrs, net.JoinHostPort("127.0.0.1", p))
	}
	return r, r.form(ctx)
}

// form joins the processes with redis-cli and waits until every node finds the cluster complete.
func (r *redisCluster) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	if err := r.await(ctx, "PING", "PONG"); err != nil {
		return err
	}
	args := append([]string{"--cluster", "create"}, r.addrs...)
	args = append(args, "--cluster-replicas", strconv.Itoa(replicas), "--cluster-yes")
	if out, err := exec.CommandContext(ctx, "redis-cli", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("redis-cli --cluster create: %w\n%s", err, out)
	}
	if err := r.await(ctx, "CLUSTER INFO", "cluster_state:ok"); err != nil {
		return err
	}
	// A replica that still loads its master's data would make the master's measurement too good or too bad.
	return r.await(ctx, "INFO replication", "master_link_status:up", "role:master")
}

// await asks every node until its answer holds one of wants.
func (r *redisCluster) await(ctx context.Context, cmd string, wants ...string) error {
	for _, addr := range r.addrs {
		for !says(ctx, addr, cmd, wants) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s never answered %s with any of %q", addr, cmd, wants)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func says(ctx context.Context, addr, cmd string, wants []string) bool {
	c, err := client.Dial(ctx, addr, client.Options{Timeout: time.Second})
	if err != nil {
		return false
	}
	defer c.Close()
	v, err := c.Do(ctx, strings.Fields(cmd)...)
	for _, w := range wants {
		if err == nil && strings.Contains(v.Str, w) {
			return true
		}
	}
	return false
}

func (r *redisCluster) pids() (out []int) {
	for _, p := range r.procs {
		out = append(out, p.Process.Pid)
	}
	return out
}

func (r *redisCluster) stop() error {
	var errs []error
	for _, p := range r.procs {
		errs = append(errs, p.Process.Kill())
	}
	for _, p := range r.procs {
		_ = p.Wait() // "signal: killed" is what we asked for
	}
	return errors.Join(errs...)
}
