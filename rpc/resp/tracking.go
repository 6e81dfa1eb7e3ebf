package resp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/rpc/resp/tracking"
)

// invalidateChannel carries invalidations to RESP2 connections.
const invalidateChannel = "__redis__:invalidate"

// maxPrefixes bounds the prefixes of one client, maxChannels what it can subscribe to.
const (
	maxPrefixes = 1024
	maxChannels = 1024
)

// trackState is a connection's CLIENT TRACKING.
//
// With NOLOOP a connection does not hear of its own writes. Unlike in Redis it goes on tracking the keys that it writes,
// because it may cache them: where Redis is silent about the next client's write to them, it hears of it here. What a
// write of its own did whose outcome it does not know (-UNCERTAIN) it does hear.
type trackState struct {
	on                           bool
	bcast, optin, optout, noloop bool
	redirect                     int64
	prefixes                     []string
	client                       *tracking.Client
	// caching is what CLIENT CACHING said about the next command: yes, no or nothing.
	caching string
}

// commandDone ends the effect of CLIENT CACHING: it lasts for one command or one transaction.
func (t *trackState) commandDone(spec *command.Spec, inTx bool) {
	if t.caching != "" && !inTx && (spec == nil || spec.ID != command.ClientCaching) {
		t.caching = ""
	}
}

// trackReads notes that the client is about to read a command's keys. It must come before the read (tracking.Track).
func (c *conn) trackReads(spec *command.Spec, args [][]byte) {
	t := &c.track
	if t.bcast || !spec.Has(command.ReadOnly) || t.optin && t.caching != "yes" || t.optout && t.caching == "no" {
		return
	}
	for _, i := range spec.AppendKeys(nil, args) {
		c.s.tracked.Track(t.client, args[i])
	}
}

// origin is who the connection is to groups (shardgroup.Call).
func (c *conn) origin() uint64 { return uint64(c.id) }

func (c *conn) stopTracking() {
	if !c.track.on {
		return
	}
	c.track.client.Gone()
	c.s.tracked.Silence(c.track.client, c.track.prefixes)
	c.track = trackState{}
}

// trackingOptions are what CLIENT TRACKING ON was given.
func (c *conn) trackingOptions(args [][]byte) (t trackState, problem string) {
	for i := 0; i < len(args); i++ {
		more := i+1 < len(args)
		switch opt := upper(args[i]); {
		case opt == "REDIRECT" && more:
			i++
			id, err := strconv.ParseInt(string(args[i]), 10, 64)
			switch {
			case err != nil:
				return t, reply.NotInteger
			case t.redirect != 0:
				return t, "ERR A client can only redirect to a single other client"
			case c.s.conns.get(id) == nil:
				return t, "ERR The client ID you want redirect to does not exist"
			}
			t.redirect = id
		case opt == "PREFIX" && more:
			i++
			if len(t.prefixes)+len(c.track.prefixes) >= maxPrefixes {
				return t, "ERR too many prefixes: at most " + strconv.Itoa(maxPrefixes)
			}
			t.prefixes = append(t.prefixes, string(args[i]))
		case opt == "BCAST":
			t.bcast = true
		case opt == "OPTIN":
			t.optin = true
		case opt == "OPTOUT":
			t.optout = true
		case opt == "NOLOOP":
			t.noloop = true
		default:
			return t, reply.SyntaxError
		}
	}
	return t, ""
}

// conflict says why the options cannot be had together, or not on top of what is on already.
func (t *trackState) conflict(now *trackState) string {
	switch {
	case !t.bcast && len(t.prefixes) > 0:
		return "ERR PREFIX option requires BCAST mode to be enabled"
	case now.on && now.bcast != t.bcast:
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	case t.bcast && (t.optin || t.optout):
		return "ERR OPTIN and OPTOUT are not compatible with BCAST"
	case t.optin && t.optout:
		return "ERR You can't use both OPTIN and OPTOUT"
	case now.on && (now.optin && t.optout || now.optout && t.optin):
		return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	}
	return t.overlap(now)
}

// overlap finds two prefixes of which one contains the other: keys below both would be reported twice.
func (t *trackState) overlap(now *trackState) string {
	for i, p := range t.prefixes {
		for _, q := range append(now.prefixes[:len(now.prefixes):len(now.prefixes)], t.prefixes[:i]...) {
			if strings.HasPrefix(p, q) || strings.HasPrefix(q, p) {
				return fmt.Sprintf("ERR Prefix '%s' overlaps with an existing prefix '%s'. Prefixes for a single client must not overlap.", p, q)
			}
		}
	}
	return ""
}

func cmdClientTracking(c *conn, args [][]byte) {
	switch upper(args[0]) {
	case "OFF":
		c.stopTracking()
		c.w().OK()
		return
	case "ON":
	default:
		c.w().Error(reply.SyntaxError)
		return
	}
	t, problem := c.trackingOptions(args[1:])
	if problem == "" {
		problem = t.conflict(&c.track)
	}
	if problem != "" {
		c.w().Error(problem)
		return
	}
	c.startTracking(t)
	c.w().OK()
}

func (c *conn) startTracking(t trackState) {
	t.on, t.client = true, c.track.client
	fresh := t.prefixes
	if t.bcast && len(fresh) == 0 && len(c.track.prefixes) == 0 {
		fresh = []string{""}
	}
	t.prefixes = append(c.track.prefixes, fresh...)
	if redirect := t.redirect; t.client == nil || redirect != c.track.redirect {
		// A new client rather than another Deliver for the old one, which may be running.
		if t.client != nil {
			t.client.Gone()
			c.s.tracked.Silence(t.client, c.track.prefixes)
			fresh = t.prefixes
		}
		t.client = &tracking.Client{Deliver: func(key []byte) { c.invalidate(redirect, key) }}
	}
	ignored := uint64(0)
	if t.noloop {
		ignored = c.origin()
	}
	t.client.Ignore(ignored)
	c.track = t
	if t.bcast {
		c.s.tracked.Broadcast(t.client, fresh)
	}
}

// invalidate tells the client, or the connection that it redirects to, that key changed; everything if key is nil. It
// runs on groups' goroutines.
func (c *conn) invalidate(redirect int64, key []byte) {
	to := c
	if redirect != 0 {
		if to = c.s.conns.get(redirect); to == nil {
			c.redirectBroken(redirect)
			return
		}
	}
	limit := c.s.cfg.Load().PushBufferLimit
	switch flags := to.flags.Load(); {
	case flags&flagRESP3 != 0:
		to.push.add(func(w *reply.Writer) {
			w.Push(2)
			w.BulkString("invalidate")
			writeInvalidated(w, key)
		}, limit)
	case flags&flagSubscribed != 0:
		to.push.add(func(w *reply.Writer) {
			w.Array(3)
			w.BulkString("message")
			w.BulkString(invalidateChannel)
			writeInvalidated(w, key)
		}, limit)
	}
}

func writeInvalidated(w *reply.Writer, key []byte) {
	if key == nil {
		w.Null()
		return
	}
	w.Array(1)
	w.Bulk(key)
}

func (c *conn) redirectBroken(id int64) {
	if c.flags.Load()&flagRESP3 == 0 {
		return
	}
	c.push.add(func(w *reply.Writer) {
		w.Push(2)
		w.BulkString("tracking-redir-broken")
		w.Int(id)
	}, c.s.cfg.Load().PushBufferLimit)
}

func cmdClientCaching(c *conn, args [][]byte) {
	t := &c.track
	if !t.on || !t.optin && !t.optout {
		c.w().Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
		return
	}
	switch upper(args[0]) {
	case "YES":
		if !t.optin {
			c.w().Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
			return
		}
		t.caching = "yes"
	case "NO":
		if !t.optout {
			c.w().Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
			return
		}
		t.caching = "no"
	default:
		c.w().Error(reply.SyntaxError)
		return
	}
	c.w().OK()
}

func cmdClientGetredir(c *conn, _ [][]byte) {
	if !c.track.on {
		c.w().Int(-1)
		return
	}
	c.w().Int(c.track.redirect)
}

func cmdClientTrackinginfo(c *conn, _ [][]byte) {
	t := &c.track
	flags := []string{"off"}
	if t.on {
		flags = []string{"on"}
		for _, f := range []struct {
			set  bool
			name string
		}{
			{t.bcast, "bcast"}, {t.optin, "optin"}, {t.caching == "yes", "caching-yes"}, {t.optout, "optout"},
			{t.caching == "no", "caching-no"}, {t.noloop, "noloop"},
			{t.redirect != 0 && c.s.conns.get(t.redirect) == nil, "broken_redirect"},
		} {
			if f.set {
				flags = append(flags, f.name)
			}
		}
	}
	w := c.w()
	w.Map(3)
	w.BulkString("flags")
	w.Set(len(flags))
	for _, f := range flags {
		w.BulkString(f)
	}
	w.BulkString("redirect")
	cmdClientGetredir(c, nil)
	w.BulkString("prefixes")
	w.Array(len(t.prefixes))
	for _, p := range t.prefixes {
		w.BulkString(p)
	}
}
