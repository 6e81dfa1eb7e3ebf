package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func groupCommand() *cobra.Command {
	var f adminFlags
	c := &cobra.Command{Use: "group", GroupID: "operate", Short: "Act on shard groups"}
	group(c)
	f.register(c)
	c.AddCommand(transferCommand(&f), addReplicaCommand(&f), removeReplicaCommand(&f), digestCommand(&f), snapshotCommand(&f))
	return c
}

func transferCommand(f *adminFlags) *cobra.Command {
	var to string
	var all bool
	c := &cobra.Command{
		Use:   "transfer-leader [GROUP...] --to NODE",
		Short: "Hand the leadership of groups to a node",
		Long: `Hand the leadership of groups to a node (name, ID or the start of an ID), which must hold a replica. Clients see a
redirect and no error. The node also becomes the group's preferred leader.`,
		Example: "  quorate group transfer-leader 1 2 --to node3\n  quorate group transfer-leader --all --to node3",
		RunE: func(c *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("name the groups, or give --all")
			}
			return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
				groups, err := ledBy(ctx, a, args, to)
				if err != nil {
					return err
				}
				var errs []error
				for _, g := range groups {
					if err := a.Transfer(ctx, g, to); err != nil {
						errs = append(errs, fmt.Errorf("group %d: %w", g, err))
						continue
					}
					fmt.Fprintf(c.OutOrStdout(), "group %d is led by %s\n", g, to)
				}
				return errors.Join(errs...)
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", "node that is to lead")
	c.Flags().BoolVar(&all, "all", false, "every group that the node is a member of, but for those that it is about to leave")
	if err := c.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag was registered above
	}
	return c
}

// ledBy reads the numbers of groups that a node is to lead; none means all that it can.
func ledBy(ctx context.Context, a *client.Admin, args []string, node string) ([]slot.GroupID, error) {
	if len(args) > 0 {
		return chosenGroups(ctx, a, args)
	}
	s, err := a.Status(ctx)
	if err != nil {
		return nil, err
	}
	return groupsOn(s, node)
}

// groupsOn are the groups that a node (name, ID or the start of an ID) is a member of, and stays one.
func groupsOn(s client.Status, node string) ([]slot.GroupID, error) {
	var nodes []topology.Node
	for _, n := range s.Nodes {
		nodes = append(nodes, n.Node)
	}
	id, err := topology.FindNode(nodes, node)
	if err != nil {
		return nil, err
	}
	var out []slot.GroupID
	for _, g := range s.Groups {
		holds := slices.ContainsFunc(g.Replicas, func(r client.ReplicaStatus) bool { return r.Node == id })
		if holds && g.Joining != id && g.Leaving != id {
			out = append(out, g.ID)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("node %s is a member of no group", node)
	}
	return out, nil
}

// chosenGroups reads group numbers; none means all.
func chosenGroups(ctx context.Context, a *client.Admin, args []string) ([]slot.GroupID, error) {
	var out []slot.GroupID
	for _, s := range args {
		g, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no group; quorate cluster groups lists them", s)
		}
		out = append(out, slot.GroupID(g))
	}
	if len(args) > 0 {
		return out, nil
	}
	s, err := a.Status(ctx)
	for _, g := range s.Groups {
		out = append(out, g.ID)
	}
	return out, err
}

func digestCommand(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "digest [GROUP...]",
		Short: "Compare the replicas of groups; fails if any differ",
		RunE: func(c *cobra.Command, args []string) error {
			return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
				groups, err := chosenGroups(ctx, a, args)
				if err != nil {
					return err
				}
				var all []client.Digest
				for _, g := range groups {
					d, err := a.Digests(ctx, g)
					if err != nil {
						return fmt.Errorf("group %d: %w", g, err)
					}
					all = append(all, d...)
				}
				if err := f.print(c.OutOrStdout(), all, func(w io.Writer) { writeDigests(w, all) }); err != nil {
					return err
				}
				return client.SameDigests(all)
			})
		},
	}
}

func writeDigests(w io.Writer, all []client.Digest) {
	table(w, "GROUP\tNODE\tINDEX\tDIGEST", func(row func(string, ...any)) {
		for _, d := range all {
			row("%d\t%.8s\t%d\t%s", d.Group, d.Node, d.Index, orDash(d.Sum+d.Error))
		}
	})
}

func snapshotCommand(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot [GROUP...]",
		Short: "Have the replicas of groups take snapshots now",
		Long: `Have all replicas of groups (of all groups if none is named) take a snapshot, one group after the other, and drop the log behind it. Nodes
do so by themselves as their logs grow; right before a restart it saves them the time of applying the log again.
The command waits, for --timeout at most; a snapshot that takes longer is taken all the same.`,
		Example: "  quorate group snapshot --timeout 2m",
		RunE: func(c *cobra.Command, args []string) error {
			return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
				groups, err := chosenGroups(ctx, a, args)
				if err != nil {
					return err
				}
				var all []client.Snapshot
				for _, g := range groups {
					s, err := a.Snapshot(ctx, g)
					if err != nil {
						return fmt.Errorf("group %d: %w", g, err)
					}
					all = append(all, s...)
				}
				if err := f.print(c.OutOrStdout(), all, func(w io.Writer) { writeSnapshots(w, all) }); err != nil {
					return err
				}
				for _, s := range all {
					if s.Error != "" {
						return fmt.Errorf("group %d, node %s: %s", s.Group, s.Node.Short(), s.Error)
					}
				}
				return nil
			})
		},
	}
}

func writeSnapshots(w io.Writer, all []client.Snapshot) {
	table(w, "GROUP\tNODE\tINDEX\tBYTES\tTOOK\tERROR", func(row func(string, ...any)) {
		for _, s := range all {
			row("%d\t%.8s\t%d\t%d\t%s\t%s", s.Group, s.Node, s.Index, s.Bytes, micros(s.Micros), orDash(s.Error))
		}
	})
}
