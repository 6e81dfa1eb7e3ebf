package resp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

func micros(n uint64) string { return fmt.Sprint(time.Duration(n) * time.Microsecond) }

func cmdRole(c *conn, _ [][]byte) {
	p := &infoPage{c: c, status: c.s.b.Status()}
	c.w().Array(3)
	c.w().BulkString("master")
	c.w().Int(int64(p.offset()))
	c.w().Array(0)
}

func cmdLastsave(c *conn, _ [][]byte) { c.w().Int(c.s.b.Status().LastSnapshot) }

// cmdWait answers at once: what was acknowledged is on a majority, that is on at least so many others.
func cmdWait(c *conn, args [][]byte) {
	if _, ok := c.integers(args); ok {
		c.w().Int(c.acked())
	}
}

// cmdWaitaof answers [local, others]. With durability interval nothing is known to be on disk.
func cmdWaitaof(c *conn, args [][]byte) {
	n, ok := c.integers(args)
	if !ok {
		return
	}
	switch {
	case n[0] < 0 || n[0] > 1:
		c.w().Error("ERR value is out of range, must be between 0 and 1")
		return
	case n[1] < 0:
		c.w().Error("ERR value is out of range, must be positive")
		return
	}
	c.w().Array(2)
	if c.s.b.Status().Durability != "always" {
		c.w().Int(0)
		c.w().Int(0)
		return
	}
	c.w().Int(1)
	c.w().Int(c.acked())
}

// integers reads arguments, of which the last is a timeout. If ok is false, the error has been answered.
func (c *conn) integers(args [][]byte) (out []int64, ok bool) {
	for _, a := range args {
		n, ok := parseInteger(a)
		if !ok {
			c.w().Error(reply.NotInteger)
			return nil, false
		}
		out = append(out, n)
	}
	if out[len(out)-1] < 0 {
		c.w().Error(reply.TimeoutNegative)
		return nil, false
	}
	return out, true
}

// parseInteger reads an integer in the one form in which Redis writes and accepts it: without a plus sign, zeros ahead, or "-0".
func parseInteger(b []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == string(b)
}

// acked is how many other replicas hold what this node acknowledged, at least: the majority of the smallest group.
func (c *conn) acked() int64 {
	m := c.view().view.Map
	least := -1
	for i := range m.Groups {
		if n := len(m.Groups[i].Members) / 2; least < 0 || n < least {
			least = n
		}
	}
	return int64(max(least, 0))
}

func cmdModuleList(c *conn, _ [][]byte) { c.w().Array(0) }

// cmdShutdown answers nothing if it succeeds, as in Redis: clients take any reply for a failure.
func cmdShutdown(c *conn, args [][]byte) {
	given := map[string]bool{}
	for _, a := range args {
		given[upper(a)] = true
	}
	abort := given["ABORT"]
	for option := range given {
		if !slices.Contains([]string{"NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"}, option) {
			c.w().Error(reply.SyntaxError)
			return
		}
	}
	switch {
	case given["SAVE"] && given["NOSAVE"], abort && len(given) > 1:
		c.w().Error(reply.SyntaxError)
	case abort:
		c.w().Error("ERR No shutdown in progress.")
	default:
		c.s.log.Info("shutdown asked for by a client", "client", c.remote)
		c.closing = true
		c.s.b.Shutdown()
	}
}

func cmdQuorate(c *conn, args [][]byte) {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = string(a)
	}
	out, err := c.s.b.Admin(c.s.ctx, words)
	if err != nil {
		c.w().Error(coded(err))
		return
	}
	c.w().Bulk(out)
}

// coded gives an error the code ERR, unless it starts with a code of its own.
func coded(err error) string {
	text := err.Error()
	first, _, _ := strings.Cut(text, " ")
	if len(first) > 2 && strings.ToUpper(first) == first && strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return text
	}
	return "ERR " + text
}

func cmdDebug(c *conn, args [][]byte) {
	allowed := c.s.cfg.Load().EnableDebug
	if allowed == "no" || allowed == "local" && !c.local {
		c.w().Error("ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.")
		return
	}
	switch sub := upper(args[0]); {
	case sub == "SLEEP" && len(args) == 2:
		c.debugSleep(args[1])
	case sub == "OBJECT" && len(args) == 2:
		c.debugObject(args[1])
	case sub == "PROTOCOL" && len(args) == 2:
		c.debugProtocol(strings.ToLower(string(args[1])))
	default:
		c.w().Error("ERR unknown subcommand or wrong number of arguments for '" + string(args[0]) + "'. Try DEBUG SLEEP, OBJECT or PROTOCOL.")
	}
}

// debugSleep holds up this connection only; Redis's holds up everybody.
func (c *conn) debugSleep(arg []byte) {
	seconds, err := strconv.ParseFloat(string(arg), 64)
	if err != nil || seconds < 0 || seconds > 3600 {
		c.w().Error(reply.NotFloat)
		return
	}
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.s.stopping:
	}
	c.w().OK()
}

// debugObject answers the part of Redis's line that has a meaning here.
func (c *conn) debugObject(key []byte) {
	got := c.askOwner(command.ObjectEncoding, slot.Of(key), [][]byte{key})
	encoding := bulk(got)
	switch {
	case encoding == nil && got[0] == '-':
		c.relay(got)
		return
	case encoding == nil:
		c.w().Error(reply.NoSuchKey)
		return
	}
	c.w().Simple("Value at:0x0 refcount:1 encoding:" + string(encoding) + " serializedlength:0 lru:0 lru_seconds_idle:0")
}

// debugProtocol answers one reply of each kind, so that tests of clients can read them.
func (c *conn) debugProtocol(kind string) {
	w := c.w()
	switch kind {
	case "string":
		w.BulkString("Hello World")
	case "integer":
		w.Int(12345)
	case "double":
		w.Double(3.141)
	case "null":
		w.Null()
	case "array", "set":
		if kind == "set" {
			w.Set(3)
		} else {
			w.Array(3)
		}
		for i := range 3 {
			w.Int(int64(i))
		}
	case "map":
		w.Map(3)
		for i := range 3 {
			w.Int(int64(i))
			w.Bool(i == 1)
		}
	case "verbatim":
		w.Verbatim([]byte("This is a verbatim\nstring"))
	case "true", "false":
		w.Bool(kind == "true")
	default:
		w.Error("ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|verbatim|true|false")
	}
}
