package duel

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/trial"
)

// system is one that is hurt.
type system struct {
	name, about string
	set         func(c *trial.Config)
}

// masters and copies are the shape of the Redis Clusters: as many nodes hold each key as in Quorate's cluster of three.
const masters, copies = 3, 3

func redis(nodeTimeout time.Duration, flags ...string) func(*trial.Config) {
	return func(c *trial.Config) {
		c.System, c.Nodes, c.Replicas, c.NodeTimeout, c.Flags = "redis", masters*copies, copies-1, nodeTimeout, flags
	}
}

var systems = []system{
	{"Redis, 15 s", "the default cluster-node-timeout", redis(15 * time.Second)},
	{"Redis, 5 s", "cluster-node-timeout 5000, the usual setting", redis(5 * time.Second)},
	{"Redis, 1 s, guarded", "cluster-node-timeout 1000, min-replicas-to-write 1, min-replicas-max-lag 2: masters that hear of no replica refuse writes",
		redis(time.Second, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")},
	{"Quorate", "three nodes, durability always, reads lease", func(c *trial.Config) { c.System, c.Nodes = "quorate", copies }},
}

// cell is one history.
type cell struct {
	system            system
	workload, nemesis string
	seed              uint64
}

// usual are the systems that meet everything; the others meet what shows best what a setting does.
var usual = []system{systems[1], systems[3]}

var every = []struct {
	nemesis, workload string
	systems           []system
}{
	{"isolate-leader", "append", systems},
	{"isolate-leader", "register", usual},
	{"isolate-leader", "ttl", usual},
	{"isolate-leader", "counter", usual},
	{"pause-leader", "register", usual},
	{"kill-leader", "append", usual},
	{"kill-all", "append", usual},
}

// cells are all histories of one seed.
func cells(seed uint64) (out []cell) {
	for _, e := range every {
		for _, s := range e.systems {
			out = append(out, cell{s, e.workload, e.nemesis, seed})
		}
	}
	return out
}

func (c cell) folder() string {
	name := strings.NewReplacer(" ", "", ",", "-").Replace(strings.ToLower(c.system.name))
	return fmt.Sprintf("%s-%s-%s-%d", c.nemesis, c.workload, name, c.seed)
}

// config is the run's. Faults last longer than the longest timeout, so that every system has time to do something about them.
func (c cell) config(d time.Duration) trial.Config {
	out := trial.Config{
		Workload: c.workload, Nemesis: []string{c.nemesis}, Duration: d, Seed: c.seed, Clients: 12, Think: 2 * time.Millisecond, Network: true,
		Quiet: [2]time.Duration{2 * time.Second, 4 * time.Second}, Hurt: [2]time.Duration{18 * time.Second, 22 * time.Second},
		Bound: time.Minute,
	}
	if c.nemesis == "kill-all" {
		out.Hurt = [2]time.Duration{time.Second, 2 * time.Second}
	}
	c.system.set(&out)
	return out
}
