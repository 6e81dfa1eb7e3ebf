package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Network is a bridge on this machine with one network namespace per node. It needs root and iproute2.
type Network struct {
	bridge string
	subnet string
	nodes  int
}

// NewNetwork makes a bridge called name (at most 8 letters) with address subnet.254 and n namespaces, name1…, whose hosts
// are subnet.1, subnet.2, …; subnet is the first three numbers, such as "10.97.1". What a previous process left under the
// same name is removed first.
func NewNetwork(name, subnet string, n int) (*Network, error) {
	w := &Network{bridge: name, subnet: subnet, nodes: n}
	w.Close()
	cmds := []string{
		"ip link add " + name + " type bridge",
		"ip addr add " + subnet + ".254/24 dev " + name,
		"ip link set " + name + " up",
	}
	for i := range n {
		ns, veth := w.Namespace(i), w.veth(i)
		cmds = append(cmds,
			"ip netns add "+ns,
			"ip link add "+veth+" type veth peer name eth0 netns "+ns,
			"ip link set "+veth+" master "+name+" up",
			"ip -n "+ns+" addr add "+w.Host(i)+"/24 dev eth0",
			"ip -n "+ns+" link set eth0 up",
			"ip -n "+ns+" link set lo up",
		)
	}
	for _, c := range cmds {
		if err := ip(c); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// Host is the address of node i.
func (w *Network) Host(i int) string { return fmt.Sprintf("%s.%d", w.subnet, i+1) }

// Namespace is the network namespace of node i.
func (w *Network) Namespace(i int) string { return fmt.Sprintf("%s%d", w.bridge, i+1) }

func (w *Network) veth(i int) string { return fmt.Sprintf("%sv%d", w.bridge, i+1) }

// Cut drops every packet from and to node i: its cable is pulled.
func (w *Network) Cut(i int) error { return ip("ip link set " + w.veth(i) + " down") }

// Heal plugs node i's cable in again.
func (w *Network) Heal(i int) error { return ip("ip link set " + w.veth(i) + " up") }

// Close removes the namespaces and the bridge. Removing what is not there is no error.
func (w *Network) Close() {
	for i := range w.nodes {
		_ = ip("ip link del " + w.veth(i))
		_ = ip("ip netns del " + w.Namespace(i))
	}
	_ = ip("ip link del " + w.bridge)
}

func ip(line string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f := strings.Fields(line)
	out, err := command(ctx, f[0], f[1:]...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("network namespaces need the command ip (package iproute2)")
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}
