package versus

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
)

const (
	masters  = 3
	replicas = copies - 1 // per master
	// busAbove is how far above its client port a node of Redis Cluster listens for the others.
	busAbove = 10_000
)

// startRedis starts masters*copies processes at 127.0.0.1, from the site's port up, and joins them.
func startRedis(ctx context.Context, s Site, flags []string) (_ *running, err error) {
	if err := claim(s.Port, masters*copies, busAbove); err != nil {
		return nil, err
	}
	var procs spawned
	defer func() {
		if err != nil {
			procs.kill()
		}
	}()
	r := &running{version: firstLine(ctx, "redis-server", "--version")}
	for i := range masters * copies {
		port := strconv.Itoa(s.Port + i)
		home := filepath.Join(s.Dir, "redis-"+port)
		if err := os.MkdirAll(home, 0o700); err != nil {
			return nil, err
		}
		args := append([]string{"--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--dir", home, "--save", ""}, flags...)
		if err := procs.start(home+".log", "redis-server", args...); err != nil {
			return nil, fmt.Errorf("%w (Debian: apt install redis-server)", err)
		}
		r.addrs = append(r.addrs, net.JoinHostPort("127.0.0.1", port))
	}
	r.pids, r.command, r.exited, r.stop = procs.pids(), commandLine(procs[0].cmd.Args, s.Dir), procs.exited, procs.kill
	return r, r.formRedis(ctx)
}

// formRedis joins the processes with redis-cli and waits until every node finds the cluster complete.
func (r *running) formRedis(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	if err := r.awaitReply(ctx, "PING", "PONG"); err != nil {
		return err
	}
	args := append([]string{"--cluster", "create"}, r.addrs...)
	args = append(args, "--cluster-replicas", strconv.Itoa(replicas), "--cluster-yes")
	if out, err := exec.CommandContext(ctx, "redis-cli", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("redis-cli --cluster create: %w\n%s", err, out)
	}
	if err := r.awaitReply(ctx, "CLUSTER INFO", "cluster_state:ok"); err != nil {
		return err
	}
	return r.awaitCopies(ctx)
}

// catchUpTime bounds how long replicas may take to have what their masters have.
const catchUpTime = 2 * time.Minute

// awaitCopies waits until every replica has what its master has: one that lags, or still loads the data, would make a measurement too good
// or too bad.
func (r *running) awaitCopies(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	for _, addr := range r.addrs {
		what := addr + " follows its master, or its replicas have all that it has"
		err := r.await(ctx, what, func() bool {
			info, err := ask(ctx, addr, "INFO replication")
			return err == nil && even(info)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// even reports whether a node whose INFO replication this is follows its master, or its replicas have all that it has.
func even(info string) bool {
	offset := ""
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, "master_repl_offset:"); found {
			offset = ",offset=" + strings.TrimSpace(value) + ","
		}
	}
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "slave") && strings.Contains(line, ",offset=") && !strings.Contains(line, offset) {
			return false
		}
	}
	return strings.Contains(info, "role:master") || strings.Contains(info, "master_link_status:up")
}

// awaitReply asks every node until its answer holds want.
func (r *running) awaitReply(ctx context.Context, cmd, want string) error {
	for _, addr := range r.addrs {
		what := fmt.Sprintf("%s answers %s with %q", addr, cmd, want)
		err := r.await(ctx, what, func() bool {
			answer, err := ask(ctx, addr, cmd)
			return err == nil && strings.Contains(answer, want)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ask gives a node's answer to a command.
func ask(ctx context.Context, addr, cmd string) (string, error) {
	c, err := client.Dial(ctx, addr, client.Options{Timeout: time.Second})
	if err != nil {
		return "", err
	}
	defer c.Close()
	v, err := c.Do(ctx, strings.Fields(cmd)...)
	return v.Str, err
}

// commandLine is what was run, with the data folder shortened and empty arguments visible.
func commandLine(args []string, dir string) string {
	var out []string
	for _, a := range args {
		if a = strings.ReplaceAll(a, dir, "DIR"); a == "" {
			a = "''"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}
