package resp

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/quorate/quorate/fsm/entry"
)

// Config is what the front end is started with. Most of it can be changed later through CONFIG SET.
type Config struct {
	// RequirePass is the password of the default user; empty means none.
	RequirePass string
	// ProtectedMode refuses connections from other machines while RequirePass is empty.
	ProtectedMode bool
	// MaxClients bounds open client connections. 10000 by default.
	MaxClients int
	// ClientFiles bounds MaxClients: how many clients the process has file descriptors for; 0 is no bound.
	ClientFiles int
	// IOThreads is how many loops serve the clients; half of GOMAXPROCS by default, at least 1. With 0 every connection
	// has a goroutine of its own.
	IOThreads int
	// IOUring has a loop receive from several clients, and send to several, with one system call, if the kernel lets it; true by
	// default.
	IOUring bool
	// Timeout closes a connection that sent nothing, or took nothing of its replies, for so long; 0 never does.
	Timeout time.Duration
	// TCPKeepAlive is the interval of keep-alive probes; 300 s by default.
	TCPKeepAlive time.Duration
	// MaxBulkLen bounds one argument in bytes (proto-max-bulk-len); at least 1 MB, and entry.MaxArg by default and at most.
	MaxBulkLen int64
	// QueryBufferLimit bounds the unexecuted bytes of one connection (client-query-buffer-limit); 1 GB by default.
	QueryBufferLimit int64
	// PushBufferLimit bounds what waits for a slow reader of invalidations (the pubsub class of
	// client-output-buffer-limit); 32 MB by default, 0 is no limit. Beyond it the connection is closed.
	PushBufferLimit int64
	// ParkTimeout is how long a command waits for a group to have a leader; 2 s by default.
	ParkTimeout time.Duration
	// TrackingTableMaxKeys bounds the keys that client-side caches are remembered for; 1,000,000 by default.
	TrackingTableMaxKeys int
	// SlowlogSlowerThan logs commands that took so long; negative logs none. 10 ms by default.
	SlowlogSlowerThan time.Duration
	// SlowlogMaxLen bounds the slow log; 128 by default.
	SlowlogMaxLen int
	// TopologyNudge lets a connection's first command after a topology change be answered by a MOVED to this node
	// itself, without being executed, so that the client reads the new map.
	TopologyNudge bool
	// StaleReads lets READONLY connections read a follower's present state without asking the leader.
	StaleReads bool
	// QuorumReads says that reads wait for a round trip to other nodes (reads: quorum), which those that came in the same turn
	// of a loop share; a pipeline of reads for several groups asks them at the same time.
	QuorumReads bool
	// EnableDebug is Redis's enable-debug-command: "no", "local" or "yes".
	EnableDebug string
	// Log receives what an operator should see. slog.Default() if nil.
	Log *slog.Logger
}

// DefaultConfig is Redis's defaults where Redis has the setting.
func DefaultConfig() Config {
	return Config{
		ProtectedMode:        true,
		MaxClients:           10000,
		IOThreads:            max(1, runtime.GOMAXPROCS(0)/2),
		IOUring:              true,
		TCPKeepAlive:         300 * time.Second,
		MaxBulkLen:           entry.MaxArg,
		QueryBufferLimit:     1 << 30,
		PushBufferLimit:      32 << 20,
		ParkTimeout:          2 * time.Second,
		TrackingTableMaxKeys: 1_000_000,
		SlowlogSlowerThan:    10 * time.Millisecond,
		SlowlogMaxLen:        128,
		TopologyNudge:        true,
		EnableDebug:          "no",
	}
}

// maxIOThreads is Redis's bound of io-threads.
const maxIOThreads = 128

// minBulkLen is the least proto-max-bulk-len that Redis accepts.
const minBulkLen = 1 << 20

// check finds values that the server cannot work with.
func (c *Config) check() error {
	switch {
	case c.MaxClients < 1:
		return fmt.Errorf("maxclients %d: want at least 1", c.MaxClients)
	case c.ClientFiles > 0 && c.MaxClients > c.ClientFiles:
		return fmt.Errorf("maxclients %d: the operating system lets this process open files for %d (RLIMIT_NOFILE)", c.MaxClients, c.ClientFiles)
	case c.MaxBulkLen < minBulkLen || c.MaxBulkLen > entry.MaxArg:
		return fmt.Errorf("proto-max-bulk-len %d: want %d to %d bytes", c.MaxBulkLen, minBulkLen, entry.MaxArg)
	case c.QueryBufferLimit < minBulkLen:
		return fmt.Errorf("client-query-buffer-limit %d: want at least %d bytes", c.QueryBufferLimit, minBulkLen)
	case c.IOThreads < 0 || c.IOThreads > maxIOThreads:
		return fmt.Errorf("io-threads %d: want 0 to %d", c.IOThreads, maxIOThreads)
	case c.Timeout < 0:
		return fmt.Errorf("timeout %v: want 0 or more", c.Timeout)
	case c.TCPKeepAlive < 0:
		return fmt.Errorf("tcp-keepalive %v: want 0 or more", c.TCPKeepAlive)
	case c.ParkTimeout < 0:
		return fmt.Errorf("parking %v: want 0 or more", c.ParkTimeout)
	case c.TrackingTableMaxKeys < 0:
		return fmt.Errorf("tracking-table-max-keys %d: want 0 or more", c.TrackingTableMaxKeys)
	case c.SlowlogMaxLen < 0:
		return fmt.Errorf("slowlog-max-len %d: want 0 or more", c.SlowlogMaxLen)
	case c.EnableDebug != "no" && c.EnableDebug != "local" && c.EnableDebug != "yes":
		return fmt.Errorf("enable-debug-command %q: want no, local or yes", c.EnableDebug)
	}
	return nil
}
