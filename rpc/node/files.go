package node

import (
	"math"
	"syscall"

	"github.com/quorate/quorate/rpc/ops"
	"github.com/quorate/quorate/rpc/resp"
)

// ownFiles are kept for what is no client's: the log, snapshots, connections with other nodes and those that greet.
const ownFiles = 512

// clientFiles is how many clients the process has file descriptors for: they must not take those that the log and snapshots need,
// since a file that cannot be opened ends the process.
func clientFiles() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return math.MaxInt32
	}
	return clientsOf(r.Cur) // Go has raised it as far as it may
}

// clientsOf shares out a limit. Of a small one, clients get a quarter.
func clientsOf(limit uint64) int {
	files := int(min(limit, math.MaxInt32))
	return max(files-ownFiles-ops.MaxConnections, files/4, 1)
}

// leaveFiles lowers maxclients to what there are file descriptors for.
func (n *Node) leaveFiles(c resp.Config) resp.Config {
	if n.host.Listen != nil {
		return c // clients take none
	}
	if c.ClientFiles = clientFiles(); c.MaxClients > c.ClientFiles {
		n.log.Warn("maxclients is lowered: this process may not open more files (RLIMIT_NOFILE)", "maxclients", c.MaxClients, "lowered_to", c.ClientFiles)
		c.MaxClients = c.ClientFiles
	}
	return c
}
