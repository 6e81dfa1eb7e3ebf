package topology

import (
	"fmt"
	"strings"
)

// FindNode finds a node by its name, its ID or the start of it.
func FindNode(nodes []Node, s string) (NodeID, error) {
	var found []NodeID
	for _, n := range nodes {
		if n.Name == s || string(n.ID) == s {
			return n.ID, nil
		}
		if s != "" && strings.HasPrefix(string(n.ID), s) {
			found = append(found, n.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("no node is called %.60q; quorate cluster nodes lists them", s)
	}
	return "", fmt.Errorf("%d nodes have IDs that begin with %.60q; give more of it", len(found), s)
}
