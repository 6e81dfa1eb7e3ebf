package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
)

// table writes aligned columns.
func table(w io.Writer, header string, rows func(row func(format string, args ...any))) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, header)
	rows(func(format string, args ...any) { fmt.Fprintf(tw, format+"\n", args...) })
	tw.Flush()
}

// healthy: every slot has an owner with a leader.
func healthy(s client.Status) bool {
	for _, g := range s.Groups {
		if g.Leader == "" {
			return false
		}
	}
	return servedSlots(s) == slot.Count
}

func servedSlots(s client.Status) (n int) {
	for _, g := range s.Groups {
		if g.Leader != "" {
			n += slotCount(g.Slots)
		}
	}
	return n
}

func slotCount(ranges []slot.Range) (n int) {
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

func writeStatus(w io.Writer, s client.Status) {
	if s.Epoch == 0 {
		fmt.Fprintf(w, "This node belongs to no cluster yet. It waits: %s.\n", s.Waiting)
		return
	}
	state := "ok"
	if !healthy(s) {
		state = "NOT ALL SLOTS ARE SERVED"
	}
	alive := 0
	for _, n := range s.Nodes {
		if n.Error == "" {
			alive++
		}
	}
	placement := "led by " + nodeName(s, s.Placement.Leader)
	if s.Placement.Leader == "" {
		placement = "without a leader: the map can't change until it has one; data is served"
	}
	var keys, memory int64
	for _, g := range s.Groups {
		for _, r := range g.Replicas {
			if r.Node == g.Leader {
				keys, memory = keys+r.Keys, memory+r.Memory
			}
		}
	}
	limit := "no limit"
	if s.Settings.MaxMemory > 0 {
		limit = fmt.Sprintf("%s per node, %s", config.Bytes(s.Settings.MaxMemory), s.Settings.MaxMemoryPolicy)
	}
	fmt.Fprintf(w, "cluster    %s\nstate      %s\nslots      %d of %d served\nnodes      %d of %d answer\ngroups     %d\nplacement  %s\nepoch      %d\nkeys       %d (%s)\nmemory     %s\n\n",
		s.Cluster, state, servedSlots(s), slot.Count, alive, len(s.Nodes), len(s.Groups), placement, s.Epoch, keys, humanBytes(memory), limit)
	writeNodes(w, s)
}

func writeNodes(w io.Writer, s client.Status) {
	table(w, "NODE\tID\tCLIENTS\tPEERS\tSTATE\tLEADS\tREPLICAS\tEPOCH\tUPTIME\tVERSION", func(row func(string, ...any)) {
		for _, n := range s.Nodes {
			state := "ok"
			if n.Error != "" {
				state = "down"
			}
			leads, replicas := 0, 0
			for _, g := range s.Groups {
				if g.Leader == n.ID {
					leads++
				}
				for _, r := range g.Replicas {
					if r.Node == n.ID {
						replicas++
					}
				}
			}
			row("%s\t%.8s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s", n.Name, n.ID, orDash(n.Client), orDash(n.Peer), state, leads, replicas,
				n.Epoch, time.Duration(n.UptimeSeconds)*time.Second, orDash(n.Version))
		}
	})
}

func writeGroups(w io.Writer, s client.Status) {
	table(w, "GROUP\tSLOTS\tNODE\tSTATE\tTERM\tAPPLIED\tLAG\tKEYS\tMEMORY", func(row func(string, ...any)) {
		for _, g := range s.Groups {
			for i, r := range g.Replicas {
				id, slots := fmt.Sprint(g.ID), rangesText(g.Slots)
				if i > 0 {
					id, slots = "", ""
				}
				row("%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s", id, slots, nodeName(s, r.Node), r.State+changing(g, r.Node), r.Term, r.Applied, r.Lag, r.Keys, humanBytes(r.Memory))
			}
		}
	})
}

// changing says that a replica is not there to stay, or not quite there yet.
func changing(g client.GroupStatus, id topology.NodeID) string {
	switch id {
	case g.Joining:
		return ", joining"
	case g.Leaving:
		return ", leaving"
	}
	return ""
}

func nodeName(s client.Status, id topology.NodeID) string {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n.Name
		}
	}
	return string(id)
}

// rangesText shortens long lists, which moves can make.
func rangesText(ranges []slot.Range) string {
	const most = 4
	var parts []string
	for i, r := range ranges {
		if i == most {
			parts = append(parts, fmt.Sprintf("… %d more", len(ranges)-most))
			break
		}
		parts = append(parts, r.String())
	}
	return orDash(strings.Join(parts, ","))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// humanBytes gives three digits and a unit: 1.21 MiB.
func humanBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n), -1
	for v >= 1024 && u < len(units)-1 {
		v /= 1024
		u++
	}
	return fmt.Sprintf("%.3g %ciB", v, units[u])
}
