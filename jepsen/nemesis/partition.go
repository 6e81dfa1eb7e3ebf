package nemesis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// lane is a direction in which no packet passes, between two nodes by index.
type lane struct{ from, to int }

// isolated, deaf, mute and ring choose what is blocked, for one victim of n nodes.
func isolated(victim, n int) []lane { return append(deaf(victim, n), mute(victim, n)...) }

func deaf(victim, n int) (out []lane) {
	for i := range n {
		if i != victim {
			out = append(out, lane{i, victim})
		}
	}
	return out
}

func mute(victim, n int) (out []lane) {
	for _, l := range deaf(victim, n) {
		out = append(out, lane{l.to, l.from})
	}
	return out
}

func ring(_, n int) (out []lane) {
	for i := range n {
		out = append(out, lane{i, (i + 1) % n})
	}
	return out
}

// table is our own in each namespace, so that healing is one command.
const table = "inet jepsen"

// partition drops packets at the receiving node, by the sender's address: clients are at another address and not touched.
func partition(lanes func(victim, n int) []lane) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victim, all := e.node(), e.cluster.Nodes()
		at := map[int]bool{}
		in := injury{
			victim: victim.Addr(),
			heal:   func() error { return e.unblock(at) },
			bit:    func() string { return e.dropped(at) },
		}
		for _, l := range lanes(victim.Index(), len(all)) {
			if err := e.block(ctx, l, !at[l.to]); err != nil {
				return in, err
			}
			at[l.to] = true
		}
		return in, nil
	}
}

func (e *env) block(ctx context.Context, l lane, first bool) error {
	rule := fmt.Sprintf("add rule %s in ip saddr %s counter drop", table, e.cluster.Network().Host(l.from))
	if first {
		rule = fmt.Sprintf("add table %s; add chain %s in { type filter hook input priority 0; }; %s", table, table, rule)
	}
	_, err := e.nft(ctx, l.to, rule)
	return err
}

func (e *env) unblock(at map[int]bool) error {
	var errs []error
	for node := range at {
		_, err := e.nft(context.Background(), node, "delete table "+table)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// dropped sums up the counters of all rules.
func (e *env) dropped(at map[int]bool) string {
	sum := 0
	for node := range at {
		out, err := e.nft(context.Background(), node, "list table "+table)
		if err != nil {
			continue
		}
		for _, part := range strings.Split(out, "counter packets ")[1:] {
			digits, _, _ := strings.Cut(part, " ")
			n, _ := strconv.Atoi(digits)
			sum += n
		}
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf("%d packets were dropped", sum)
}

func (e *env) nft(ctx context.Context, node int, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", e.cluster.Network().Namespace(node), "nft", script).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("network faults need the commands ip and nft (packages iproute2 and nftables)")
	}
	if err != nil {
		return "", fmt.Errorf("nft %s: %w: %s", script, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// cut takes the node from clients, too.
func cut(_ context.Context, e *env) (injury, error) {
	n := e.node()
	cable := e.cluster.Network()
	return injury{
		victim: n.Addr(),
		heal:   func() error { return cable.Heal(n.Index()) },
		bit:    func() string { return unreachable(n.Addr()) },
	}, cable.Cut(n.Index())
}

func unreachable(addr string) string {
	conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
	if err != nil {
		return "the node could not be reached"
	}
	conn.Close()
	return ""
}
