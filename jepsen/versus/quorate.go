package versus

import (
	"context"
	"runtime"
	"strconv"

	"github.com/quorate/quorate/jepsen/process"
)

// startQuorate starts three server processes and waits until they serve all slots. They share the machine's processors as
// equally as Redis's do, of which each process has one thread for clients.
func startQuorate(ctx context.Context, s Site, flags []string) (*running, error) {
	first := s.Port + 50
	if err := claim(first, copies, 1000, 10_000); err != nil {
		return nil, err
	}
	flags = append([]string{"--max-procs", strconv.Itoa(max(1, runtime.NumCPU()/copies))}, flags...)
	c, err := process.Start(ctx, process.Options{Binary: s.Binary, Dir: s.Dir, Nodes: copies, Port: first, Flags: flags})
	if err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	if err := c.WaitReady(ready); err != nil {
		c.Close()
		return nil, err
	}
	return &running{
		addrs: c.Addrs(), pids: c.Pids(), nodes: c.Nodes(), version: firstLine(ctx, s.Binary, "version"), exited: c.Exited, stop: c.Close,
		command: commandLine(append([]string{"quorate", "server", "--bootstrap-expect", "3", "…"}, flags...), s.Dir),
	}, nil
}
