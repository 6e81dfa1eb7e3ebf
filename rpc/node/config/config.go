package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/fsm/entry"
)

// Config is a node's configuration. Its fields are documented where they are declared as keys, in Flags.
type Config struct {
	DataDir string
	Name    string
	Zone    string

	Listen       string
	Announce     string
	PeerListen   string
	PeerAnnounce string
	HTTPListen   string

	Join            []string
	BootstrapExpect int
	Groups          int
	Replicas        int
	ClusterSecret   string
	InsecurePeers   bool

	Durability   string
	SyncInterval time.Duration
	LogStore     string
	StallTimeout time.Duration
	SegmentBytes Bytes
	SnapshotLog  Bytes
	TrailingLogs int

	Reads           string
	FollowerReads   string
	ElectionTimeout time.Duration
	Lease           time.Duration
	Parking         time.Duration

	MaxMemory        Bytes
	MaxMemoryPolicy  string
	MaxMemorySamples int
	SpreadLeaders    bool

	RequirePass    string
	ProtectedMode  bool
	MaxClients     int
	IOThreads      int
	IOUring        bool
	MaxProcs       int
	IdleTimeout    time.Duration
	TCPKeepAlive   time.Duration
	MaxBulk        Bytes
	QueryBuffer    Bytes
	OutputBuffer   Bytes
	TopologyNudge  bool
	TrackingKeys   int
	DebugCommand   string
	ShutdownGrace  time.Duration
	LogFormat      string
	LogLevel       string
	Profiles       bool
	TestClockShift time.Duration
	TestFaults     string

	flags *pflag.FlagSet
}

// Given reports whether a flag, the environment or a file has set key, be it to its default.
func (c *Config) Given(key string) bool { return c.flags != nil && c.flags.Changed(key) }

// Policies are the values of maxmemory-policy, as in Redis.
var Policies = []string{
	"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
	"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
}

// Complete fills what is derived from other keys (peer and HTTP addresses from the client address) and checks
// every value; its errors name the key.
func (c *Config) Complete() error {
	if err := c.completeAddresses(); err != nil {
		return err
	}
	for _, rule := range []struct {
		ok   bool
		key  string
		want string
	}{
		{c.DataDir != "", "data-dir", "must name a folder"},
		{c.BootstrapExpect >= 0 && c.BootstrapExpect <= 1000, "bootstrap-expect", "must be 0 (join only) to 1000 nodes"},
		{c.Groups >= 0 && c.Groups <= 1024, "groups", "must be 0 (one per node) to 1024"},
		{c.Replicas >= 1 && c.Replicas <= 7, "replicas", "must be 1 to 7"},
		{c.SyncInterval >= time.Millisecond, "sync-interval", "must be at least 1ms"},
		{c.StallTimeout >= time.Second, "stall-timeout", "must be at least 1s"},
		{c.SegmentBytes >= 1<<20, "segment-bytes", "must be at least 1mb"},
		{c.SnapshotLog >= 1<<16, "snapshot-log-bytes", "must be at least 64kb"},
		{c.TrailingLogs >= 1 && c.TrailingLogs <= 1<<20, "trailing-entries", "must be 1 to 1048576"},
		{c.ElectionTimeout >= 50*time.Millisecond, "election-timeout", "must be at least 50ms"},
		{c.Lease >= c.ElectionTimeout/3, "lease", "must be at least a third of election-timeout: heartbeats come a tenth to a fifth of that apart, and a leader steps down when nobody answered one for as long as a lease"},
		{c.Lease > 0 && c.Lease <= c.ElectionTimeout*9/10, "lease", "must be above 0 and at most 90 % of election-timeout, because a lease that outlives an election gives stale reads"},
		{c.Parking >= 0 && c.Parking <= time.Minute, "parking", "must be 0s to 1m"},
		{c.MaxMemory >= 0, "maxmemory", "must not be negative"},
		{c.MaxMemorySamples >= 1 && c.MaxMemorySamples <= 64, "maxmemory-samples", "must be 1 to 64"},
		{c.MaxClients >= 1, "maxclients", "must be at least 1"},
		{c.IOThreads >= 0 && c.IOThreads <= 128, "io-threads", "must be 0 (half of the processors) to 128"},
		{c.MaxProcs >= 0 && c.MaxProcs <= 1024, "max-procs", "must be 0 (all) to 1024"},
		{c.IdleTimeout >= 0, "timeout", "must not be negative"},
		{c.MaxBulk >= 1<<20 && c.MaxBulk <= entry.MaxArg, "proto-max-bulk-len", "must be 1mb to 60mb, because a command is one log entry"},
		{c.QueryBuffer >= 1<<20, "client-query-buffer-limit", "must be at least 1mb"},
		{c.OutputBuffer == 0 || c.OutputBuffer >= 1<<20, "client-output-buffer-limit", "must be 0 (no limit) or at least 1mb"},
		{c.TrackingKeys >= 1, "tracking-table-max-keys", "must be at least 1"},
		{c.ShutdownGrace >= 0, "shutdown-timeout", "must not be negative"},
	} {
		if !rule.ok {
			return fmt.Errorf("%s: %s", rule.key, rule.want)
		}
	}
	return nil
}

// completeAddresses derives the peer port (client port + 10000, as Redis's bus) and the HTTP port (client port +
// 1000) where they are not set.
func (c *Config) completeAddresses() error {
	host, port, err := splitAddress("listen", c.Listen)
	if err != nil {
		return err
	}
	if c.PeerListen == "" {
		if port+10000 > 65535 {
			return fmt.Errorf("peer-listen: must be set, because the client port %d plus 10000 is no port", port)
		}
		c.PeerListen = net.JoinHostPort(host, strconv.Itoa(port+10000))
	}
	if c.HTTPListen == "" {
		c.HTTPListen = net.JoinHostPort(host, strconv.Itoa(port+1000))
	}
	for _, a := range []struct{ key, value string }{
		{"peer-listen", c.PeerListen}, {"announce", c.Announce}, {"peer-announce", c.PeerAnnounce}, {"http-listen", c.HTTPListen},
	} {
		if a.value == "" || a.key == "http-listen" && a.value == Off {
			continue
		}
		if _, _, err := splitAddress(a.key, a.value); err != nil {
			return err
		}
	}
	for _, a := range c.Join {
		if _, _, err := splitAddress("join", a); err != nil {
			return err
		}
	}
	if c.ClusterSecret == "" && !c.InsecurePeers && !onLoopback(c.PeerListen) {
		return fmt.Errorf("cluster-secret: must be set, the same on every node, because peer-listen %s can be reached from other machines; insecure-peers lets in everybody who can connect", c.PeerListen)
	}
	return nil
}

// onLoopback reports whether only this machine reaches addr. Names other than localhost may be anything.
func onLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Off is the value of http-listen that opens no port.
const Off = "off"

func splitAddress(key, addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err == nil {
		port, err = strconv.Atoi(p)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%s: %q is no host:port", key, addr)
	}
	return host, port, nil
}

func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(values, s) {
			return nil
		}
		return fmt.Errorf("must be one of %v", values)
	}
}
