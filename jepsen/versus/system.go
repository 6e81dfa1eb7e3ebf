package versus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/fsm/slot"
)

// Site is where systems run.
type Site struct {
	// Binary is the quorate executable; Dir takes data folders.
	Binary, Dir string
	// Port is the first client port; systems take up to sixty from there, and the ports 1000 and 10000 above those.
	Port int
	// RedisFlags and QuorateFlags are given to the servers besides those of the mode.
	RedisFlags, QuorateFlags []string
}

// formTime bounds how long a cluster may take to form.
const formTime = time.Minute

// copies of every key that each system holds, and as many nodes (of Redis Cluster, masters) that clients connect to.
const copies = 3

// System is something to measure, in one mode of durability and reads.
type System struct {
	// Name is what flags call it.
	Name  string
	Title string
	// pipelines says that it takes more than one command at once.
	pipelines bool
	// wait is the number of replicas that WAIT is given after each pipeline that writes.
	wait  int
	start func(context.Context, Site) (*running, error)
}

// Systems are all that can be measured. Peers come first.
func Systems() []System {
	redis := func(name, title, fsync string, wait int) System {
		return System{
			Name: name, Title: fmt.Sprintf("Redis Cluster, %d masters with %d replicas each, %s", masters, replicas, title), pipelines: true, wait: wait,
			start: func(ctx context.Context, s Site) (*running, error) {
				return startRedis(ctx, s, append([]string{"--appendonly", "yes", "--appendfsync", fsync}, s.RedisFlags...))
			},
		}
	}
	quorate := func(name, durability, reads string) System {
		return System{
			Name: name, Title: fmt.Sprintf("Quorate, 3 nodes, durability %s, reads %s", durability, reads), pipelines: true,
			start: func(ctx context.Context, s Site) (*running, error) {
				return startQuorate(ctx, s, append([]string{"--durability", durability, "--reads", reads}, s.QuorateFlags...))
			},
		}
	}
	return []System{
		redis("redis-everysec", "AOF everysec", "everysec", 0),
		redis("redis-always-wait", "AOF always, WAIT 1 after each pipeline of writes", "always", 1),
		{Name: "etcd", Title: "etcd, 3 members, linearizable reads, asked by etcd's gRPC client", start: startEtcd},
		quorate("quorate-interval", "interval", "lease"),
		quorate("quorate-always", "always", "lease"),
		quorate("quorate-interval-quorum", "interval", "quorum"),
		quorate("quorate-always-quorum", "always", "quorum"),
	}
}

// SystemNames are the names of all systems.
func SystemNames() (out []string) {
	for _, s := range Systems() {
		out = append(out, s.Name)
	}
	return out
}

// choose finds systems by name.
func choose(names []string) (out []System, err error) {
	all := Systems()
	for _, name := range names {
		i := slices.IndexFunc(all, func(s System) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown system %q: want any of %s", name, strings.Join(SystemNames(), ", "))
		}
		if slices.ContainsFunc(out, func(s System) bool { return s.Name == name }) {
			return nil, fmt.Errorf("system %s is named twice", name)
		}
		out = append(out, all[i])
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no system to measure: name any of %s", strings.Join(SystemNames(), ", "))
	}
	return out, nil
}

// check refuses flags of servers that none of systems has.
func (s Site) check(systems []System) error {
	if len(s.RedisFlags) > 0 && !slices.ContainsFunc(systems, System.isRedis) {
		return errors.New("--redis-flags: no redis-server is measured")
	}
	if len(s.QuorateFlags) > 0 && !slices.ContainsFunc(systems, func(s System) bool { return !s.isPeer() }) {
		return errors.New("--quorate-flags: no quorate server is measured")
	}
	return nil
}

// distinct refuses values that would be measured twice, and share a row.
func distinct(what string, values []int) error {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			return fmt.Errorf("%s %d is given twice", what, v)
		}
	}
	return nil
}

// checkGroups refuses a number of groups that servers would refuse.
func checkGroups(n, least int) error {
	if n < least || n > slot.Count {
		return fmt.Errorf("%d groups: want %d to %d", n, least, slot.Count)
	}
	return nil
}

// checkClients refuses fewer clients than s has nodes with keys: a load would too, but not before the fill. groups is Quorate's number of
// them, 0 for one per node, and flag what clients are given by.
func (s System) checkClients(flag string, clients, keys, groups int) error {
	if !s.pipelines {
		return nil // any member takes any key
	}
	nodes := min(copies, keys)
	if groups > 0 && !s.isPeer() {
		nodes = min(nodes, groups)
	}
	if clients < nodes {
		return fmt.Errorf("%d clients for %d nodes: some would get no load; want %s %d or more", clients, nodes, flag, nodes)
	}
	return nil
}

// isRedis says that s is one of Redis Cluster's modes.
func (s System) isRedis() bool { return strings.HasPrefix(s.Name, "redis-") }

// isPeer says that Quorate is compared to s.
func (s System) isPeer() bool { return !strings.HasPrefix(s.Name, "quorate") }

// notStarted stands for servers where a load is checked before there are any.
var notStarted = &running{addrs: []string{"not started"}}

// plan is what s's load has in common with every other's.
func (s System) plan(r *running, clients, keys, valueSize int) load.Plan {
	return load.Plan{
		Seeds: r.addrs, Open: r.open, Pids: r.pids, Clients: clients, Pipeline: 1, WaitReplicas: s.wait,
		Keys: keys, KeySize: keySize, ValueSize: valueSize,
	}
}

// keySize is the bytes of every key.
const keySize = 16
