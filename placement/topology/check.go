package topology

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quorate/quorate/fsm/slot"
)

// Bounds of a map. They keep hostile bytes from costing memory and are far above what one cluster is built for.
const (
	MaxNodes   = 1024
	MaxGroups  = slot.Count
	MaxMembers = 9
	MaxVoters  = 5
	// MaxText bounds names, zones and addresses, in bytes; a DNS name has at most 253, a port 6 more.
	MaxText = 260
	// MaxWeight is the largest Node.Weight: a hundred times the normal share.
	MaxWeight = 10000
	// MaxSamples is the largest Settings.MaxMemorySamples; more costs time and finds hardly better victims.
	MaxSamples = 1000
)

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

// Valid reports whether id is 40 lower-case hex digits.
func (id NodeID) Valid() bool { return hex40(string(id)) }

// Short is the first 8 digits of id, for messages to people.
func (id NodeID) Short() string { return string(id[:min(8, len(id))]) }

func hex40(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == ""
}

// Validate checks every invariant that one map can be checked for by itself and names each violation.
func (m *Map) Validate() error {
	if m.Epoch == 0 {
		return m.checkEmpty()
	}
	return errors.Join(
		m.checkCluster(), m.checkNodes(), m.checkAddresses(), m.checkVoters(),
		m.checkGroups(), m.checkSlots(), m.Settings.Check(),
	)
}

// Follows checks that m may take the place of prev: same cluster, a higher epoch, and nothing changed that is
// fixed for the life of a group. It does not call Validate.
func (m *Map) Follows(prev *Map) error {
	if prev.Epoch == 0 {
		return nil
	}
	if m.Cluster != prev.Cluster {
		return fmt.Errorf("map: cluster %s after %s: this node belongs to the latter", m.Cluster, prev.Cluster)
	}
	if m.Epoch <= prev.Epoch {
		return fmt.Errorf("map: epoch %d after %d: it must grow", m.Epoch, prev.Epoch)
	}
	for i := range prev.Groups {
		old := &prev.Groups[i]
		g := m.GroupByID(old.ID)
		if g == nil {
			return fmt.Errorf("map: group %d vanished at epoch %d", old.ID, m.Epoch)
		}
		if !sameBirth(old, g) {
			return fmt.Errorf("map: group %d: its seed, genesis or founders changed at epoch %d", old.ID, m.Epoch)
		}
		if err := laterLives(old, g); err != nil {
			return err
		}
	}
	return nil
}

// laterLives: departures are never forgotten, and a founder that has come back has left before; see Group.Bootstraps.
func laterLives(old, g *Group) error {
	for _, d := range old.Departed {
		if g.Life(d.Node) < d.Times {
			return fmt.Errorf("map: group %d: node %s had left %d times, now %d times", g.ID, d.Node, d.Times, g.Life(d.Node))
		}
	}
	for _, id := range g.Members {
		if !slices.Contains(old.Members, id) && slices.Contains(g.Founders, id) && g.Life(id) == 0 {
			return fmt.Errorf("map: group %d: founder %s was no member and is one now, but never left", g.ID, id)
		}
	}
	return nil
}

func (m *Map) checkEmpty() error {
	if !m.SameContent(&Map{}) {
		return errors.New("map: epoch 0 is the empty map and may hold nothing")
	}
	return nil
}

func (m *Map) checkCluster() error {
	if !hex40(m.Cluster) {
		return fmt.Errorf("map: cluster id %q: want 40 lower-case hex digits", clip(m.Cluster))
	}
	if len(m.Nodes) == 0 {
		return errors.New("map: no nodes")
	}
	return nil
}

func (m *Map) checkNodes() error {
	if len(m.Nodes) > MaxNodes {
		return fmt.Errorf("map: %d nodes: at most %d", len(m.Nodes), MaxNodes)
	}
	for i := range m.Nodes {
		if err := m.Nodes[i].Check(); err != nil {
			return err
		}
		if i > 0 && m.Nodes[i-1].ID >= m.Nodes[i].ID {
			return fmt.Errorf("map: node %s: nodes must be sorted by id and distinct", m.Nodes[i].ID)
		}
	}
	return nil
}

// Check tells whether n is well-formed by itself. Empty addresses are allowed, see Node.
func (n *Node) Check() error {
	if !n.ID.Valid() {
		return fmt.Errorf("node id %q: want 40 lower-case hex digits", clip(string(n.ID)))
	}
	for field, text := range map[string]string{"name": n.Name, "zone": n.Zone} {
		if !plainText(text) {
			return fmt.Errorf("node %s: %s %q: want at most %d printable characters without spaces", n.ID, field, clip(text), MaxText)
		}
	}
	for field, addr := range map[string]string{"client": n.Client, "peer": n.Peer} {
		if err := checkAddress(addr); addr != "" && err != nil {
			return fmt.Errorf("node %s: %s address: %w", n.ID, field, err)
		}
	}
	if n.Weight < 0 || n.Weight > MaxWeight {
		return fmt.Errorf("node %s: weight %d: want 0 to %d", n.ID, n.Weight, MaxWeight)
	}
	return nil
}

// checkAddress wants host:port as net.SplitHostPort reads it. This package may not import net (deps_test.go).
func checkAddress(addr string) error {
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		return fmt.Errorf("%q: want host:port", clip(addr))
	}
	host, port := addr[:colon], addr[colon+1:]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return fmt.Errorf("%q: the bracket of the host is not closed", clip(addr))
		}
	} else if strings.Contains(host, ":") {
		return fmt.Errorf("%q: an IPv6 host must be in brackets", clip(addr))
	}
	if host == "" || !plainText(host) || strings.ContainsAny(host, "[]/@,") {
		return fmt.Errorf("%q: want host:port with a host name or IP address", clip(addr))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q: want a port from 1 to 65535", clip(addr))
	}
	return nil
}

// plainText allows what can stand unquoted in one column of CLUSTER NODES. Invalid UTF-8 would not survive JSON, and two
// maps of one epoch would differ.
func plainText(s string) bool {
	if len(s) > MaxText || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) || r == ' ' {
			return false
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 64)] }

// checkAddresses: an address belongs to at most one node, whether as client or as peer address.
func (m *Map) checkAddresses() error {
	owner := map[string]NodeID{}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		for _, addr := range []string{n.Client, n.Peer} {
			if addr == "" {
				continue
			}
			if other, taken := owner[addr]; taken {
				return fmt.Errorf("map: address %s of node %s is also node %s's", addr, n.ID, other)
			}
			owner[addr] = n.ID
		}
	}
	return nil
}

func (m *Map) checkVoters() error {
	n := len(m.Voters())
	if n%2 == 0 || n > MaxVoters {
		return fmt.Errorf("map: %d placement voters: want 1, 3 or 5", n)
	}
	return nil
}

func (m *Map) checkGroups() error {
	if len(m.Groups) > MaxGroups {
		return fmt.Errorf("map: %d groups: at most %d", len(m.Groups), MaxGroups)
	}
	for i := range m.Groups {
		g := &m.Groups[i]
		if g.ID == 0 {
			return errors.New("map: group 0 is placement's own and no shard group")
		}
		if i > 0 && m.Groups[i-1].ID >= g.ID {
			return fmt.Errorf("map: group %d: groups must be sorted by id and distinct", g.ID)
		}
		if err := errors.Join(m.checkMembers(g), m.checkChange(g), checkDepartures(g), checkFounders(g), checkGenesis(g)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Map) checkMembers(g *Group) error {
	if len(g.Members) == 0 || len(g.Members) > MaxMembers {
		return fmt.Errorf("map: group %d has %d members: want 1 to %d", g.ID, len(g.Members), MaxMembers)
	}
	for i, id := range g.Members {
		if m.NodeByID(id) == nil {
			return fmt.Errorf("map: group %d: member %q is no node of the map", g.ID, clip(string(id)))
		}
		if slices.Contains(g.Members[:i], id) {
			return fmt.Errorf("map: group %d: node %s is a member twice", g.ID, id)
		}
	}
	return nil
}

// checkChange: who comes is a node that is no member yet, and nobody leaves at the same time.
func (m *Map) checkChange(g *Group) error {
	if g.Joining != "" && g.Leaving != "" {
		return fmt.Errorf("map: group %d: nodes join and leave at the same time", g.ID)
	}
	for _, id := range []NodeID{g.Joining, g.Leaving} {
		if id != "" && m.NodeByID(id) == nil {
			return fmt.Errorf("map: group %d: %q is no node of the map", g.ID, clip(string(id)))
		}
	}
	if slices.Contains(g.Members, g.Joining) {
		return fmt.Errorf("map: group %d: node %s is joining and a member", g.ID, g.Joining)
	}
	return nil
}

// checkDepartures: who has left may not be in the map any more, so only the form is checked.
func checkDepartures(g *Group) error {
	for i, d := range g.Departed {
		if !d.Node.Valid() || d.Times == 0 {
			return fmt.Errorf("map: group %d: departure of node %q, %d times: want 40 lower-case hex digits and at least once", g.ID, clip(string(d.Node)), d.Times)
		}
		if i > 0 && g.Departed[i-1].Node >= d.Node {
			return fmt.Errorf("map: group %d: departures must be sorted and distinct", g.ID)
		}
	}
	return nil
}

// checkFounders: founders may have left the map, so only their form is checked.
func checkFounders(g *Group) error {
	if len(g.Founders) == 0 || len(g.Founders) > MaxMembers {
		return fmt.Errorf("map: group %d has %d founders: want 1 to %d", g.ID, len(g.Founders), MaxMembers)
	}
	for i, id := range g.Founders {
		if !id.Valid() {
			return fmt.Errorf("map: group %d: founder %q: want 40 lower-case hex digits", g.ID, clip(string(id)))
		}
		if i > 0 && g.Founders[i-1] >= id {
			return fmt.Errorf("map: group %d: founders must be sorted and distinct", g.ID)
		}
	}
	return nil
}

func checkGenesis(g *Group) error {
	for i, r := range g.Genesis {
		if !r.Valid() {
			return fmt.Errorf("map: group %d: genesis range %v: want slots 0-%d", g.ID, r, slot.Count-1)
		}
		if i > 0 && g.Genesis[i-1].Last >= r.First {
			return fmt.Errorf("map: group %d: genesis ranges must be sorted and disjoint", g.ID)
		}
	}
	return nil
}

// checkSlots: before the first groups no slot is owned, from then on every slot is, by a group that exists.
func (m *Map) checkSlots() error {
	for n, id := range m.Slots {
		if len(m.Groups) == 0 && id == 0 {
			continue
		}
		if id == 0 {
			return fmt.Errorf("map: slot %d has no owner", n)
		}
		if m.GroupByID(id) == nil {
			return fmt.Errorf("map: slot %d belongs to group %d, which does not exist", n, id)
		}
	}
	return nil
}

// Check tells whether s can be served.
func (s *Settings) Check() error {
	if s.MaxMemory < 0 {
		return fmt.Errorf("maxmemory %d: want 0 (no limit) or a number of bytes", s.MaxMemory)
	}
	if !slices.Contains(Policies, s.MaxMemoryPolicy) {
		return fmt.Errorf("maxmemory-policy %q: want one of %s", clip(s.MaxMemoryPolicy), strings.Join(Policies, ", "))
	}
	if s.MaxMemorySamples < 1 || s.MaxMemorySamples > MaxSamples {
		return fmt.Errorf("maxmemory-samples %d: want 1 to %d", s.MaxMemorySamples, MaxSamples)
	}
	return nil
}
