package resp

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/reply"
)

// compatible is the Redis version whose behaviour clients may expect. Below 8 on purpose: from there on rueidis reads
// CLUSTER SHARDS instead of SLOTS.
const compatible = "7.2.7"

func cmdPing(c *conn, args [][]byte) {
	w := c.w()
	switch {
	case len(args) > 1:
		w.WrongArity("ping")
	case c.subscribed && c.proto == 2:
		w.Array(2)
		w.BulkString("pong")
		if len(args) == 1 {
			w.Bulk(args[0])
		} else {
			w.BulkString("")
		}
	case len(args) == 1:
		w.Bulk(args[0])
	default:
		w.Simple("PONG")
	}
}

func cmdEcho(c *conn, args [][]byte) { c.w().Bulk(args[0]) }

func cmdQuit(c *conn, _ [][]byte) {
	c.closing = true
	c.w().OK()
}

func cmdSelect(c *conn, args [][]byte) {
	switch n, ok := parseInteger(args[0]); {
	case !ok:
		c.w().Error(reply.NotInteger)
	case n != 0:
		c.w().Error(reply.SelectOnly0)
	default:
		c.w().OK()
	}
}

func cmdReadonly(c *conn, _ [][]byte) {
	c.readonly = true
	c.w().OK()
}

func cmdReadwrite(c *conn, _ [][]byte) {
	c.readonly = false
	c.w().OK()
}

// cmdAsking has nothing to do: a group that is taking a slot over serves it as soon as it owns it, asked or not.
func cmdAsking(c *conn, _ [][]byte) { c.w().OK() }

func cmdReset(c *conn, _ [][]byte) {
	c.tx.end()
	c.stopTracking()
	c.channels, c.subscribed = nil, false
	c.readonly, c.noTouch, c.reply = false, false, replyOn
	c.label.reset()
	c.authed = c.s.cfg.Load().RequirePass == ""
	c.setProto(2)
	c.w().Simple("RESET")
}

func (c *conn) setProto(v int8) {
	c.proto = v
	c.run.own.Proto = v
}

// checkPassword compares in a time that does not tell how much of the password was right.
func (s *Server) checkPassword(user, given []byte) bool {
	want := s.cfg.Load().RequirePass
	if string(user) != "default" {
		return false
	}
	a, b := sha256.Sum256(given), sha256.Sum256([]byte(want))
	return want == "" || subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func cmdAuth(c *conn, args [][]byte) {
	user := []byte("default")
	switch len(args) {
	case 1:
		if c.s.cfg.Load().RequirePass == "" {
			c.w().Error("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
			return
		}
	case 2:
		user, args = args[0], args[1:]
	default:
		c.w().Error(reply.SyntaxError)
		return
	}
	if !c.s.checkPassword(user, args[0]) {
		c.s.stats.authFailures.Add(1)
		c.w().Error(reply.WrongPass)
		return
	}
	c.authed = true
	c.w().OK()
}

// hello is what HELLO asks for.
type hello struct {
	proto      int8
	user, pass []byte
	name       []byte
	auth       bool
}

func (c *conn) parseHello(args [][]byte) (h hello, problem string) {
	h.proto = c.proto
	if len(args) == 0 {
		return h, ""
	}
	v, ok := parseInteger(args[0])
	switch {
	case !ok:
		return h, "ERR Protocol version is not an integer or out of range"
	case v != 2 && v != 3:
		return h, reply.NoProto
	}
	h.proto = int8(v)
	for args = args[1:]; len(args) > 0; {
		switch opt := upper(args[0]); {
		case opt == "AUTH" && len(args) >= 3:
			h.auth, h.user, h.pass = true, args[1], args[2]
			args = args[3:]
		case opt == "SETNAME" && len(args) >= 2:
			h.name = args[1]
			args = args[2:]
		default:
			return h, "ERR Syntax error in HELLO option '" + string(args[0]) + "'"
		}
	}
	return h, ""
}

func cmdHello(c *conn, args [][]byte) {
	h, problem := c.parseHello(args)
	if problem == "" && h.auth && !c.s.checkPassword(h.user, h.pass) {
		c.s.stats.authFailures.Add(1)
		problem = reply.WrongPass
	}
	if problem == "" && !h.auth && !c.authed {
		problem = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	}
	if problem == "" && !validLabel(h.name) {
		problem = badName
	}
	if problem != "" {
		c.w().Error(problem)
		return
	}
	c.authed = true
	if h.name != nil {
		c.label.setName(string(h.name))
	}
	c.setProto(h.proto)
	c.writeHello()
}

func (c *conn) writeHello() {
	w := c.w()
	w.Map(7)
	for _, p := range [][2]string{{"server", "redis"}, {"version", compatible}} {
		w.BulkString(p[0])
		w.BulkString(p[1])
	}
	w.BulkString("proto")
	w.Int(int64(c.proto))
	w.BulkString("id")
	w.Int(c.id)
	for _, p := range [][2]string{{"mode", "cluster"}, {"role", "master"}} {
		w.BulkString(p[0])
		w.BulkString(p[1])
	}
	w.BulkString("modules")
	w.Array(0)
}

const badName = "ERR Client names cannot contain spaces, newlines or special characters."

// validLabel accepts what fits into one word of CLIENT LIST.
func validLabel(b []byte) bool {
	for _, ch := range b {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}

func (l *label) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

func (l *label) setName(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name = name
}

func (l *label) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.noEvict = "", false
}

func cmdTime(c *conn, _ [][]byte) {
	now := time.Now()
	c.w().Array(2)
	c.w().BulkInt(now.Unix())
	c.w().BulkInt(int64(now.Nanosecond() / 1000))
}

// onOff reads a switch. If ok is false, the error has been answered.
func (c *conn) onOff(arg []byte) (on, ok bool) {
	switch strings.ToUpper(string(arg)) {
	case "ON":
		return true, true
	case "OFF":
		return false, true
	}
	c.w().Error(reply.SyntaxError)
	return false, false
}
