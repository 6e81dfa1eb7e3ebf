package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/wire"
)

// Network has one network namespace per node. Clients reach the nodes over a bridge; the nodes reach each other over a wire in
// this process, which can be cut, slow and lossy in each direction. It needs root and iproute2.
type Network struct {
	name   string
	subnet string
	nodes  int
	wire   *wire.Wire
}

// The hosts of a subnet: nodes are 1 and so on for clients and 129 and so on for each other; this process is the last host of
// each half.
const (
	bridgeHost = 126
	peerHosts  = 128
	wireHost   = 254
	maxNodes   = 100
)

// NewNetwork makes a network called name (at most 8 letters) for n nodes; subnet is the first three numbers of its addresses,
// such as "10.97.1". What a previous process left under the same name is removed first.
func NewNetwork(name, subnet string, n int) (*Network, error) {
	if n > maxNodes {
		return nil, fmt.Errorf("%d nodes: a network takes at most %d", n, maxNodes)
	}
	w := &Network{name: name, subnet: subnet, nodes: n}
	w.remove()
	err := w.bridge()
	if err == nil {
		err = w.cables()
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// bridge makes the namespaces and the way that clients come.
func (w *Network) bridge() error {
	cmds := []string{
		"ip link add " + w.name + " type bridge",
		fmt.Sprintf("ip addr add %s.%d/25 dev %s", w.subnet, bridgeHost, w.name),
		"ip link set " + w.name + " up",
	}
	for i := range w.nodes {
		ns, veth := w.Namespace(i), w.veth(i)
		cmds = append(cmds,
			"ip netns add "+ns,
			"ip link add "+veth+" type veth peer name eth0 netns "+ns,
			"ip link set "+veth+" master "+w.name+" up",
			"ip -n "+ns+" addr add "+w.Host(i)+"/25 dev eth0",
			"ip -n "+ns+" link set eth0 up",
			"ip -n "+ns+" link set lo up",
		)
	}
	return run(cmds)
}

// cables makes the wire. Its ports are the nodes and, as the last one, this process.
func (w *Network) cables() error {
	var ports []io.ReadWriteCloser
	var cmds []string
	for i := range w.nodes + 1 {
		name := fmt.Sprintf("%st%d", w.name, i+1)
		tun, err := wire.Tun(name)
		if err != nil {
			return errors.Join(err, closeAll(ports))
		}
		ports = append(ports, tun)
		in := "ip"
		if i < w.nodes {
			cmds = append(cmds, "ip link set "+name+" netns "+w.Namespace(i))
			in = "ip -n " + w.Namespace(i)
		}
		cmds = append(cmds,
			fmt.Sprintf("%s addr add %s/25 dev %s", in, w.PeerHost(i), name),
			fmt.Sprintf("%s link set %s mtu %d up", in, name, wire.MTU))
	}
	if err := run(cmds); err != nil {
		return errors.Join(err, closeAll(ports))
	}
	w.wire = wire.New(ports, w.portOf)
	return nil
}

func closeAll(ports []io.ReadWriteCloser) error {
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// portOf reads the last number of an IPv4 destination.
func (w *Network) portOf(packet []byte) int {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return -1
	}
	if host := int(packet[19]); host != wireHost {
		return host - peerHosts - 1
	}
	return w.nodes
}

// Host is the address of node i for clients.
func (w *Network) Host(i int) string { return fmt.Sprintf("%s.%d", w.subnet, i+1) }

// PeerHost is the address of node i for the other nodes; i may be the number of nodes, which is this process.
func (w *Network) PeerHost(i int) string {
	if i == w.nodes {
		return fmt.Sprintf("%s.%d", w.subnet, wireHost)
	}
	return fmt.Sprintf("%s.%d", w.subnet, peerHosts+1+i)
}

// Namespace is the network namespace of node i.
func (w *Network) Namespace(i int) string { return fmt.Sprintf("%s%d", w.name, i+1) }

// Wire is what the nodes reach each other by; its ports are the nodes, by index.
func (w *Network) Wire() *wire.Wire { return w.wire }

func (w *Network) veth(i int) string { return fmt.Sprintf("%sv%d", w.name, i+1) }

// Cut drops every packet from and to node i, clients' too: its cables are pulled.
func (w *Network) Cut(i int) error {
	w.around(i, wire.Condition{Cut: true})
	return run([]string{"ip link set " + w.veth(i) + " down"})
}

// Heal plugs node i's cables in again.
func (w *Network) Heal(i int) error {
	w.around(i, wire.Condition{})
	return run([]string{"ip link set " + w.veth(i) + " up"})
}

func (w *Network) around(i int, c wire.Condition) {
	for other := range w.nodes + 1 {
		w.wire.Set(i, other, c)
		w.wire.Set(other, i, c)
	}
}

// Close removes everything. Removing what is not there is no error.
func (w *Network) Close() {
	if w.wire != nil {
		_ = w.wire.Close() // the devices go with this process at the latest
	}
	w.remove()
}

func (w *Network) remove() {
	for i := range w.nodes {
		_ = run([]string{"ip link del " + w.veth(i)})
		_ = run([]string{"ip netns del " + w.Namespace(i)})
	}
	_ = run([]string{"ip link del " + w.name})
}

// run executes commands one after the other until one fails.
func run(cmds []string) error {
	for _, line := range cmds {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		f := strings.Fields(line)
		out, err := command(ctx, f[0], f[1:]...).CombinedOutput()
		cancel()
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("the command %s is missing: see jepsen/README.md for what is needed", f[0])
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
