package config

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/fsm/entry"
)

// Flags declares every key on fs, bound to c, with its default.
func Flags(fs *pflag.FlagSet, c *Config) {
	fs.SortFlags = false
	c.flags = fs
	nodeFlags(fs, c)
	clusterFlags(fs, c)
	storageFlags(fs, c)
	readFlags(fs, c)
	memoryFlags(fs, c)
	clientFlags(fs, c)
	processFlags(fs, c)
}

func nodeFlags(fs *pflag.FlagSet, c *Config) {
	fs.StringVar(&c.DataDir, "data-dir", "quorate-data", "folder for this node's identity, logs and snapshots")
	fs.StringVar(&c.Name, "name", "", "name for people, in lists and logs (default: the host name)")
	fs.StringVar(&c.Zone, "zone", "", "failure zone; replicas of a group are spread over zones")
	fs.StringVar(&c.Listen, "listen", "127.0.0.1:6379", "host:port for Redis clients")
	fs.StringVar(&c.Announce, "announce", "", "host:port that clients are told (default: listen, or the host's address if that is a wildcard)")
	fs.StringVar(&c.PeerListen, "peer-listen", "", "host:port for other nodes (default: client port + 10000)")
	fs.StringVar(&c.PeerAnnounce, "peer-announce", "", "host:port that other nodes are told (default: as announce, with the peer port)")
	fs.StringVar(&c.HTTPListen, "http-listen", "", "host:port for /metrics, /healthz and /readyz, or off (default: client port + 1000)")
}

func clusterFlags(fs *pflag.FlagSet, c *Config) {
	fs.Var(list{&c.Join}, "join", "peer host:port of any members, comma-separated or repeated; DNS names are resolved again at each try")
	fs.IntVar(&c.BootstrapExpect, "bootstrap-expect", 0, "form a new cluster once this many nodes have found each other; 0 waits for a join or cluster init")
	fs.IntVar(&c.Groups, "groups", 0, "shard groups of a new cluster; 0 is one per node")
	fs.IntVar(&c.Replicas, "replicas", 3, "replicas per group of a new cluster, at most one per node")
	fs.StringVar(&c.ClusterSecret, "cluster-secret", "", "secret that nodes prove to each other; needed off the loopback interface")
	fs.BoolVar(&c.InsecurePeers, "insecure-peers", false, "accept peers from other machines without a cluster-secret")
}

func storageFlags(fs *pflag.FlagSet, c *Config) {
	c.Durability, c.LogStore = "always", "wal"
	c.SegmentBytes, c.SnapshotLog = 64<<20, 64<<20
	fs.Var(choice{&c.Durability, oneOf("always", "interval")}, "durability", "always: a write is on disk on a majority before its reply; interval: synced every sync-interval")
	fs.DurationVar(&c.SyncInterval, "sync-interval", time.Second, "time between syncs with durability interval")
	fs.Var(choice{&c.LogStore, oneOf("wal", "boltdb")}, "log-store", "wal: one log for all groups; boltdb: one raft-boltdb file per group (slower); not to be changed later")
	fs.DurationVar(&c.StallTimeout, "stall-timeout", 10*time.Second, "the process ends when a disk write takes longer, so that others take over")
	fs.Var(&c.SegmentBytes, "segment-bytes", "size of a log file")
	fs.Var(&c.SnapshotLog, "snapshot-log-bytes", "log bytes of a group after which it takes a snapshot, as many as the last one has if that is more; some replicas wait for up to half as many again")
	fs.IntVar(&c.TrailingLogs, "trailing-entries", 4096, "log entries that stay behind a snapshot, for replicas that are a little late; others get the snapshot")
}

func readFlags(fs *pflag.FlagSet, c *Config) {
	c.Reads, c.FollowerReads = "lease", "linearizable"
	fs.Var(choice{&c.Reads, oneOf("lease", "quorum")}, "reads", "lease: the leader answers while a quorum has promised to follow it; quorum: asks a quorum for each read, trusts no clock")
	fs.Var(choice{&c.FollowerReads, oneOf("linearizable", "stale")}, "follower-reads", "what a READONLY connection gets from a follower: linearizable asks the leader first, stale does not")
	fs.DurationVar(&c.ElectionTimeout, "election-timeout", 500*time.Millisecond, "silence of a leader after which its followers elect another")
	fs.DurationVar(&c.Lease, "lease", 400*time.Millisecond, "how long a leader may answer reads after a quorum heard from it, a third to nine tenths of election-timeout")
	fs.DurationVar(&c.Parking, "parking", 2*time.Second, "how long requests wait while a group has no leader")
}

func memoryFlags(fs *pflag.FlagSet, c *Config) {
	c.MaxMemoryPolicy = "noeviction"
	fs.Var(&c.MaxMemory, "maxmemory", "memory of all replicas on one node, keys and values with overhead; 0 is no limit (new clusters; later: CONFIG SET)")
	fs.Var(choice{&c.MaxMemoryPolicy, oneOf(Policies...)}, "maxmemory-policy", "what is evicted at maxmemory, as in Redis (new clusters; later: CONFIG SET)")
	fs.IntVar(&c.MaxMemorySamples, "maxmemory-samples", 5, "keys looked at for each evicted one")
	fs.BoolVar(&c.SpreadLeaders, "spread-leaders", true, "move leadership so that nodes lead equally many groups (new clusters; later: quorate cluster set)")
}

func clientFlags(fs *pflag.FlagSet, c *Config) {
	c.MaxBulk, c.QueryBuffer, c.OutputBuffer = entry.MaxArg, 1<<30, 32<<20
	c.DebugCommand = "no"
	fs.StringVar(&c.RequirePass, "requirepass", "", "password of the default user; empty lets everybody in who can connect")
	fs.BoolVar(&c.ProtectedMode, "protected-mode", true, "without a password, answer only clients on the loopback interface")
	fs.IntVar(&c.MaxClients, "maxclients", 10000, "client connections")
	fs.IntVar(&c.IOThreads, "io-threads", 0, "loops that read from clients and answer them; 0 is one for every two processors")
	fs.BoolVar(&c.IOUring, "io-uring", true, "receive from several clients, and send to several, with one system call, if the kernel allows it (Linux 5.18, sysctl kernel.io_uring_disabled, seccomp)")
	fs.DurationVar(&c.IdleTimeout, "timeout", 0, "close a client connection idle for this long; 0 never")
	fs.DurationVar(&c.TCPKeepAlive, "tcp-keepalive", 300*time.Second, "time between TCP keep-alive probes; 0 is none")
	fs.Var(&c.MaxBulk, "proto-max-bulk-len", "largest argument; Redis allows 512 MB, but here a command is one log entry and one message to each replica, of 64 MB at most")
	fs.Var(&c.QueryBuffer, "client-query-buffer-limit", "largest unfinished request of a connection")
	fs.Var(&c.OutputBuffer, "client-output-buffer-limit", "largest backlog of invalidations that a client with CLIENT TRACKING has not read; beyond it the connection is closed; 0 is no limit")
	fs.BoolVar(&c.TopologyNudge, "topology-nudge", true, "after a topology change, answer one command per connection with MOVED so that clients reload their map")
	fs.IntVar(&c.TrackingKeys, "tracking-table-max-keys", 1_000_000, "keys remembered for CLIENT TRACKING")
	fs.Var(choice{&c.DebugCommand, oneOf("no", "local", "yes")}, "enable-debug-command", "who may call DEBUG: no, local connections, yes")
}

func processFlags(fs *pflag.FlagSet, c *Config) {
	c.LogFormat, c.LogLevel = "text", "info"
	fs.DurationVar(&c.ShutdownGrace, "shutdown-timeout", 10*time.Second, "time for handing leadership over and answering clients at a stop")
	fs.IntVar(&c.MaxProcs, "max-procs", 0, "processors used at once; 0 is all. Nodes that share a machine switch less with their share each")
	fs.Var(choice{&c.LogFormat, oneOf("text", "json")}, "log-format", "text or json")
	fs.Var(choice{&c.LogLevel, oneOf("debug", "info", "warn", "error")}, "log-level", "debug, info, warn or error")
	fs.BoolVar(&c.Profiles, "profiles", false, "serve Go's profiles at /debug/pprof/ on the HTTP port; whoever reaches it can see memory")
	fs.DurationVar(&c.TestClockShift, "test-clock-shift", 0, "added to this node's clock, to test what skewed clocks do; never set it in production")
	fs.StringVar(&c.TestFaults, "test-faults", "", "file in which a test harness orders faults of the clock and the disk; never set it in production")
}
