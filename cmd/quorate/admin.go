package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/client"
)

// adminFlags say how to reach a cluster and how to print what it says.
type adminFlags struct {
	addrs    []string
	password string
	output   string
	timeout  time.Duration
}

func (f *adminFlags) register(c *cobra.Command) {
	p := c.PersistentFlags()
	p.StringSliceVarP(&f.addrs, "addr", "a", []string{"127.0.0.1:7001"}, "client host:port of any nodes, tried in order")
	passwordFlag(p, &f.password, "password (or QUORATE_PASSWORD)")
	p.StringVarP(&f.output, "output", "o", "text", "text or json")
	p.DurationVar(&f.timeout, "timeout", 15*time.Second, "time for the whole command")
	if err := c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was registered two lines above
	}
}

// passwordFlag takes its default from the environment, where "ps" does not show it, and keeps it out of the help.
func passwordFlag(f *pflag.FlagSet, to *string, usage string) {
	f.StringVar(to, "password", os.Getenv("QUORATE_PASSWORD"), usage)
	f.Lookup("password").DefValue = ""
}

// do connects, runs f and closes the connection.
func (f *adminFlags) do(ctx context.Context, run func(context.Context, *client.Admin) error) error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("--output %q: want text or json", f.output)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	a, err := client.NewAdmin(ctx, f.addrs, client.Options{Password: f.password, Timeout: f.timeout})
	if err != nil {
		return err
	}
	defer a.Close()
	return run(ctx, a)
}

// print writes v as JSON, or calls text.
func (f *adminFlags) print(w io.Writer, v any, text func(io.Writer)) error {
	if f.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	text(w)
	return nil
}
