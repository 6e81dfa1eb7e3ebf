package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/demo"
)

func demoCommand() *cobra.Command {
	var port int
	var step time.Duration
	c := &cobra.Command{
		Use:     "demo",
		GroupID: "run",
		Short:   "Take a tour of a minute: load, a killed leader, and the count",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			return demo.Run(c.Context(), demo.Options{Binary: binary, Port: port, Step: step, Out: c.OutOrStdout()})
		},
	}
	c.Flags().IntVar(&port, "port", 7101, "client port of the first node; the next two count up")
	c.Flags().DurationVar(&step, "step", 10*time.Second, "length of each of the three acts")
	return c
}
