package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/client"
)

func clusterCommand() *cobra.Command {
	var f adminFlags
	c := &cobra.Command{Use: "cluster", GroupID: "operate", Short: "Look at a cluster, found one, change its settings"}
	group(c)
	f.register(c)
	c.AddCommand(
		statusCommand(&f, "status", "Show the cluster at a glance; fails unless every slot is served", writeStatus, true),
		statusCommand(&f, "nodes", "List the nodes", writeNodes, false),
		statusCommand(&f, "groups", "List the groups and their replicas", writeGroups, false),
		initCommand(&f), setCommand(&f),
	)
	return c
}

func statusCommand(f *adminFlags, use, short string, text func(io.Writer, client.Status), verdict bool) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
				s, err := a.Status(ctx)
				if err != nil {
					return err
				}
				if err := f.print(c.OutOrStdout(), s, func(w io.Writer) { text(w, s) }); err != nil {
					return err
				}
				if verdict && !healthy(s) {
					return errSilent
				}
				return nil
			})
		},
	}
}

func initCommand(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "init PEER-ADDR...",
		Short: "Found a cluster of nodes that wait for it",
		Long: `Found a cluster of the nodes at the given peer addresses (client port + 10000 unless configured otherwise), which were
started without --bootstrap-expect. The node at --addr must be one of them.`,
		Example: "  quorate cluster init --addr 127.0.0.1:7001 127.0.0.1:17001 127.0.0.1:17002 127.0.0.1:17003",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
				if err := a.Init(ctx, args); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "The cluster of %d nodes is founded and serves.\n", len(args))
				return nil
			})
		},
	}
}

func setCommand(f *adminFlags) *cobra.Command {
	settings := []string{"maxmemory", "maxmemory-policy", "maxmemory-samples", "spread-leaders"}
	return &cobra.Command{
		Use:       "set SETTING VALUE",
		Short:     "Change a cluster-wide setting",
		Long:      "Change a cluster-wide setting: maxmemory (per node), maxmemory-policy, maxmemory-samples or spread-leaders (yes, no).",
		Example:   "  quorate cluster set maxmemory 2gb\n  quorate cluster set spread-leaders no",
		Args:      cobra.ExactArgs(2),
		ValidArgs: settings,
		RunE: func(c *cobra.Command, args []string) error {
			return f.do(c.Context(), func(ctx context.Context, a *client.Admin) error {
				if err := a.Set(ctx, args[0], args[1]); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s is %s on all nodes.\n", args[0], args[1])
				return nil
			})
		},
	}
}
