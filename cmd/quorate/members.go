package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
)

func addReplicaCommand(f *adminFlags) *cobra.Command {
	return memberCommand(f, (*client.Admin).AddReplica, &cobra.Command{
		Use:   "add-replica GROUP NODE",
		Short: "Give a node a replica of a group",
		Long: `Give a node (name, ID or the start of an ID) a replica of a group. The new replica is fed by the leader and gets a vote once
it has been close behind for some seconds; until then the group's quorum is as before. The command waits for that, and
the cluster goes on with it if the command is stopped. remove-replica takes it back.

maxmemory is divided by the most replicas that any node holds. So if this node comes to hold more than all others, the limit of
every group falls: their leaders evict what is over it, or refuse writes. Have room, or give the replica to a node with fewer.`,
		Example: "  quorate group add-replica 1 node4",
	})
}

func removeReplicaCommand(f *adminFlags) *cobra.Command {
	return memberCommand(f, (*client.Admin).RemoveReplica, &cobra.Command{
		Use:   "remove-replica GROUP NODE",
		Short: "Take a node's replica out of a group",
		Long: `Take the replica of a node (name, ID or the start of an ID), which may be down for good, out of a group. A leader hands over first.
Nothing happens while the replicas that stay could not go on by themselves. The node then deletes the replica's data, at
once or when it comes back; a replica that is added to it later starts empty.`,
		Example: "  quorate group remove-replica 1 node2",
	})
}

// memberCommand begins a change of members and waits for its end.
func memberCommand(f *adminFlags, begin func(*client.Admin, context.Context, slot.GroupID, string) error, c *cobra.Command) *cobra.Command {
	var wait bool
	c.Args = cobra.ExactArgs(2)
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
			groups, err := chosenGroups(ctx, a, args[:1])
			if err != nil {
				return err
			}
			if err := begin(a, ctx, groups[0], args[1]); err != nil || !wait {
				return err
			}
			g, err := a.Settled(ctx, groups[0])
			if err != nil {
				return fmt.Errorf("it is under way, but not done yet: %w", err)
			}
			return f.print(c.OutOrStdout(), g, func(w io.Writer) {
				fmt.Fprintf(w, "group %d has %d replicas\n", g.ID, len(g.Replicas))
			})
		})
	}
	c.Flags().BoolVar(&wait, "wait", true, "wait until it is done")
	return c
}
