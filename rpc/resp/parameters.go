package resp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/glob"
)

// parameter is a setting that the front end owns, with Redis's name. set is nil for what is fixed.
type parameter struct {
	name string
	get  func(c *Config) string
	set  func(c *Config, value string) error
}

func fixed(name, value string) parameter {
	return parameter{name: name, get: func(*Config) string { return value }}
}

func duration(name string, field func(c *Config) *time.Duration, unit time.Duration) parameter {
	return parameter{
		name: name,
		get:  func(c *Config) string { return strconv.FormatInt(int64(*field(c)/unit), 10) },
		set: func(c *Config, value string) error {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return errors.New("argument couldn't be parsed into an integer")
			}
			*field(c) = time.Duration(n) * unit
			return nil
		},
	}
}

func number(name string, field func(c *Config) *int) parameter {
	return parameter{
		name: name,
		get:  func(c *Config) string { return strconv.Itoa(*field(c)) },
		set: func(c *Config, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil {
				return errors.New("argument couldn't be parsed into an integer")
			}
			*field(c) = n
			return nil
		},
	}
}

func size(name string, field func(c *Config) *int64) parameter {
	return parameter{
		name: name,
		get:  func(c *Config) string { return strconv.FormatInt(*field(c), 10) },
		set: func(c *Config, value string) (err error) {
			*field(c), err = parseBytes(value)
			return err
		},
	}
}

func yesNo(name string, field func(c *Config) *bool) parameter {
	return parameter{
		name: name,
		get: func(c *Config) string {
			if *field(c) {
				return "yes"
			}
			return "no"
		},
		set: func(c *Config, value string) error {
			v := strings.ToLower(value)
			if v != "yes" && v != "no" {
				return errors.New("argument must be 'yes' or 'no'")
			}
			*field(c) = v == "yes"
			return nil
		},
	}
}

// parseBytes reads Redis's notation: 1000, 1k (1000), 1kb (1024), 2mb, 3gb.
func parseBytes(text string) (int64, error) {
	units := []struct {
		suffix string
		factor int64
	}{{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1}}
	t := strings.ToLower(text)
	for _, u := range units {
		digits, fits := strings.CutSuffix(t, u.suffix)
		if !fits {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			break
		}
		return n * u.factor, nil
	}
	return 0, errors.New("argument must be a memory value")
}

// outputLimit is client-output-buffer-limit: of its classes, only pubsub's hard limit means something here, because replies
// are written before the next command is read.
var outputLimit = parameter{
	name: "client-output-buffer-limit",
	get: func(c *Config) string {
		return fmt.Sprintf("normal 0 0 0 slave 0 0 0 pubsub %d 0 0", c.PushBufferLimit)
	},
	set: func(c *Config, value string) error {
		f := strings.Fields(value)
		if len(f)%4 != 0 {
			return errors.New("wrong number of arguments in buffer limit configuration.")
		}
		for ; len(f) > 0; f = f[4:] {
			hard, err := parseBytes(f[1])
			if err != nil {
				return err
			}
			if f[0] == "pubsub" {
				c.PushBufferLimit = hard
			}
		}
		return nil
	},
}

var debugParameter = parameter{
	name: "enable-debug-command",
	get:  func(c *Config) string { return c.EnableDebug },
}

var passwordParameter = parameter{
	name: "requirepass",
	get:  func(c *Config) string { return c.RequirePass },
	set: func(c *Config, value string) error {
		c.RequirePass = value
		return nil
	},
}

var parameters = []parameter{
	passwordParameter, outputLimit, debugParameter,
	number("maxclients", func(c *Config) *int { return &c.MaxClients }),
	number("tracking-table-max-keys", func(c *Config) *int { return &c.TrackingTableMaxKeys }),
	number("slowlog-max-len", func(c *Config) *int { return &c.SlowlogMaxLen }),
	duration("timeout", func(c *Config) *time.Duration { return &c.Timeout }, time.Second),
	duration("tcp-keepalive", func(c *Config) *time.Duration { return &c.TCPKeepAlive }, time.Second),
	duration("slowlog-log-slower-than", func(c *Config) *time.Duration { return &c.SlowlogSlowerThan }, time.Microsecond),
	size("proto-max-bulk-len", func(c *Config) *int64 { return &c.MaxBulkLen }),
	size("client-query-buffer-limit", func(c *Config) *int64 { return &c.QueryBufferLimit }),
	yesNo("protected-mode", func(c *Config) *bool { return &c.ProtectedMode }),
	yesNo("topology-nudge", func(c *Config) *bool { return &c.TopologyNudge }),
	yesNo("stale-reads", func(c *Config) *bool { return &c.StaleReads }),
	fixed("databases", "1"), fixed("cluster-enabled", "yes"), fixed("cluster-require-full-coverage", "no"),
	fixed("cluster-allow-reads-when-down", "no"), fixed("cluster-node-timeout", "500"),
	fixed("slave-read-only", "yes"), fixed("replica-read-only", "yes"), fixed("latency-monitor-threshold", "0"),
}

// listParameters is every setting: the front end's, the cluster's, the node's. The first of a name counts.
func (s *Server) listParameters() []Setting {
	cfg := s.cfg.Load()
	var out []Setting
	for _, p := range parameters {
		out = append(out, Setting{p.name, p.get(cfg)})
	}
	set := s.b.Map().Settings
	out = append(out,
		Setting{"maxmemory", strconv.FormatInt(set.MaxMemory, 10)},
		Setting{"maxmemory-policy", cmp.Or(set.MaxMemoryPolicy, "noeviction")},
		Setting{"maxmemory-samples", strconv.Itoa(set.MaxMemorySamples)},
		Setting{"port", strconv.Itoa(s.port())})
	out = append(out, s.b.Settings()...)
	slices.SortStableFunc(out, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b Setting) bool { return a.Name == b.Name })
}

func cmdConfigGet(c *conn, args [][]byte) {
	var found []Setting
	for _, p := range c.s.listParameters() {
		if slices.ContainsFunc(args, func(pattern []byte) bool { return glob.MatchFold(pattern, []byte(p.Name)) }) {
			found = append(found, p)
		}
	}
	c.w().Map(len(found))
	for _, p := range found {
		c.w().BulkString(p.Name)
		c.w().BulkString(p.Value)
	}
}

// settingTimeout bounds a change of a cluster-wide setting, which placement must agree on.
const settingTimeout = 5 * time.Second

// setParameters changes settings. Those of the front end change together or not at all; the others follow one by one.
func (s *Server) setParameters(pairs []Setting) (failed string, err error) {
	s.cfgMu.Lock()
	defer s.cfgMu.Unlock()
	next := *s.cfg.Load()
	var others []Setting
	for _, p := range pairs {
		own, err := next.set(p)
		if err != nil {
			return p.Name, err
		}
		if !own {
			others = append(others, p)
		}
	}
	if err := next.check(); err != nil {
		return pairs[0].Name, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, settingTimeout)
	defer cancel()
	for _, p := range others {
		if err := s.b.SetSetting(ctx, p.Name, p.Value); err != nil {
			return p.Name, err
		}
	}
	s.cfg.Store(&next)
	s.tracked.SetMax(next.TrackingTableMaxKeys)
	return "", nil
}

// set changes a setting of the front end; own is false if it has no such setting.
func (c *Config) set(p Setting) (own bool, err error) {
	i := slices.IndexFunc(parameters, func(x parameter) bool { return x.name == p.Name })
	if i < 0 {
		return false, nil
	}
	if parameters[i].set == nil {
		return true, ErrFixedSetting
	}
	return true, parameters[i].set(c, p.Value)
}

func cmdConfigSet(c *conn, args [][]byte) {
	if len(args)%2 != 0 {
		c.w().WrongArity("config|set")
		return
	}
	var pairs []Setting
	for ; len(args) > 0; args = args[2:] {
		name := strings.ToLower(string(args[0]))
		if slices.ContainsFunc(pairs, func(p Setting) bool { return p.Name == name }) {
			c.w().Error("ERR CONFIG SET failed (possibly related to argument '" + name + "') - duplicate parameter")
			return
		}
		pairs = append(pairs, Setting{name, string(args[1])})
	}
	switch failed, err := c.s.setParameters(pairs); {
	case errors.Is(err, ErrUnknownSetting):
		c.w().Error("ERR Unknown option or number of arguments for CONFIG SET - '" + failed + "'")
	case err != nil:
		c.w().Error("ERR CONFIG SET failed (possibly related to argument '" + failed + "') - " + err.Error())
	default:
		c.w().OK()
	}
}

func cmdConfigResetstat(c *conn, _ [][]byte) {
	c.s.stats.reset()
	c.w().OK()
}

func cmdConfigRewrite(c *conn, _ [][]byte) {
	c.w().Error("ERR Rewriting config file: this server does not write its configuration; change the file or the flags")
}
