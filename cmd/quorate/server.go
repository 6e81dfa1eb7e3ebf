package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/heap"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/node/guards"
)

func serverCommand() *cobra.Command {
	var cfg config.Config
	var file, off string
	c := &cobra.Command{
		Use:     "server",
		GroupID: "run",
		Short:   "Run one node of a cluster",
		Long: `Run one node of a cluster until SIGTERM or SIGINT; a second signal ends it at once.

Every key below can also be set in the environment (QUORATE_DATA_DIR for --data-dir) and in a YAML file
(data-dir: /var/lib/quorate); flags win over the environment, which wins over the file.`,
		Example: `  # three nodes on one machine form a cluster
  quorate server --listen 127.0.0.1:7001 --data-dir d1 --bootstrap-expect 3 --join 127.0.0.1:17001,127.0.0.1:17002,127.0.0.1:17003
  quorate server --listen 127.0.0.1:7002 --data-dir d2 --bootstrap-expect 3 --join 127.0.0.1:17001,127.0.0.1:17002,127.0.0.1:17003
  quorate server --listen 127.0.0.1:7003 --data-dir d3 --bootstrap-expect 3 --join 127.0.0.1:17001,127.0.0.1:17002,127.0.0.1:17003`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := config.Load(c.Flags(), file, os.Environ()); err != nil {
				return err
			}
			var host node.Host
			if err := guards.Weaken(off, &host); err != nil {
				return err
			}
			return runServer(c.Context(), cfg, host)
		},
	}
	config.Flags(c.Flags(), &cfg)
	mutationFlag(c.Flags(), &off)
	c.Flags().StringVar(&file, "config", os.Getenv(config.EnvPrefix+"CONFIG"), "YAML file with any of these keys")
	return c
}

// mutationFlag registers the flag that switches guards off, where the build can do that.
func mutationFlag(f *pflag.FlagSet, names *string) {
	if len(guards.Names()) > 0 {
		f.StringVar(names, "mutation", "", "guards to switch off, with + between them: "+strings.Join(guards.Names(), ", "))
	}
}

func runServer(ctx context.Context, cfg config.Config, host node.Host) error {
	level := new(slog.LevelVar)
	log, err := logger(cfg, level)
	if err != nil {
		return err
	}
	if cfg.MaxProcs > 0 {
		runtime.GOMAXPROCS(cfg.MaxProcs)
	}
	go heap.HugePages(ctx, log)
	n, err := node.Start(node.Options{Config: cfg, Version: version(), Logger: log, Level: level, Fatal: fatal(log), Host: host})
	if err != nil {
		return err
	}
	go heap.Keep(ctx)
	select {
	case <-ctx.Done():
	case <-n.Asked():
	}
	stop, cancel := context.WithTimeout(context.Background(), cfg.ShutdownGrace)
	defer cancel()
	return n.Stop(stop)
}

// logger writes to standard error, as log-format and log-level say.
func logger(cfg config.Config, level *slog.LevelVar) (*slog.Logger, error) {
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level: %w", err)
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
}

// fatal ends the process at once: other replicas take over, and a restart reads back what is durable.
func fatal(log *slog.Logger) func(error) {
	return func(err error) {
		log.Error("fatal: this node stops so that nothing wrong is served", "error", err)
		os.Exit(1)
	}
}
