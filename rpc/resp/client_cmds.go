package resp

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
)

// What other goroutines may know of a connection (conn.flags).
const (
	flagRESP3 uint32 = 1 << iota
	flagSubscribed
	flagTracking
	flagBroadcast
	flagTx
	flagReadonly
)

// publish lets other goroutines see the connection's state.
func (c *conn) publish() {
	var f uint32
	for _, b := range []struct {
		set bool
		bit uint32
	}{
		{c.proto == 3, flagRESP3}, {c.subscribed, flagSubscribed}, {c.track.on, flagTracking},
		{c.track.bcast, flagBroadcast}, {c.tx.open, flagTx}, {c.readonly, flagReadonly},
	} {
		if b.set {
			f |= b.bit
		}
	}
	c.flags.Store(f)
	c.redirect.Store(c.track.redirect)
	c.subs.Store(int32(len(c.channels)))
	if c.tx.open {
		c.queued.Store(int32(len(c.tx.queue)))
	} else {
		c.queued.Store(-1)
	}
}

// describe is the connection's line in CLIENT LIST.
func (c *conn) describe(now time.Time) string {
	f := c.flags.Load()
	letters := ""
	for _, l := range []struct {
		bit  uint32
		text string
	}{{flagSubscribed, "P"}, {flagReadonly, "r"}, {flagTx, "x"}, {flagTracking, "t"}, {flagBroadcast, "B"}} {
		if f&l.bit != 0 {
			letters += l.text
		}
	}
	if letters == "" {
		letters = "N"
	}
	redirect, proto := int64(-1), 2
	if f&flagTracking != 0 {
		redirect = c.redirect.Load()
	}
	if f&flagRESP3 != 0 {
		proto = 3
	}
	last := "NULL"
	if spec := c.lastCmd.Load(); spec != nil {
		last = spec.Name
	}
	c.label.mu.Lock()
	name, libName, libVer := c.label.name, c.label.libName, c.label.libVer
	c.label.mu.Unlock()
	qbuf, omem := c.qbuf.Load(), c.owed.Load()+int64(c.push.size())
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=-1 name=%s age=%d idle=%d flags=%s db=0 sub=%d psub=0 ssub=0 multi=%d "+
		"qbuf=%d qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=%d tot-mem=%d events=r cmd=%s user=default "+
		"redir=%d resp=%d lib-name=%s lib-ver=%s",
		c.id, c.remote, c.localAddr, name, int(now.Sub(c.born).Seconds()), int(now.Sub(time.Unix(0, c.active.Load())).Seconds()),
		letters, c.subs.Load(), c.queued.Load(), qbuf, omem, qbuf+omem, last, redirect, proto, libName, libVer)
}

// kind is the client's type for CLIENT LIST TYPE and KILL TYPE.
func (c *conn) kind() string {
	if c.flags.Load()&flagSubscribed != 0 {
		return "pubsub"
	}
	return "normal"
}

func cmdClientID(c *conn, _ [][]byte) { c.w().Int(c.id) }

func cmdClientInfo(c *conn, _ [][]byte) {
	c.lastCmd.Store(command.ByID(command.ClientInfo))
	c.w().Verbatim([]byte(c.describe(time.Now()) + "\n"))
}

func cmdClientGetname(c *conn, _ [][]byte) {
	if name := c.label.get(); name != "" {
		c.w().BulkString(name)
		return
	}
	c.w().Null()
}

func cmdClientSetname(c *conn, args [][]byte) {
	if !validLabel(args[0]) {
		c.w().Error(badName)
		return
	}
	c.label.setName(string(args[0]))
	c.w().OK()
}

func cmdClientSetinfo(c *conn, args [][]byte) {
	attr := strings.ToLower(string(args[0]))
	if attr != "lib-name" && attr != "lib-ver" {
		c.w().Error("ERR Unrecognized option '" + string(args[0]) + "'")
		return
	}
	if !validLabel(args[1]) {
		c.w().Error("ERR " + attr + " cannot contain spaces, newlines or special characters.")
		return
	}
	c.label.mu.Lock()
	if attr == "lib-name" {
		c.label.libName = string(args[1])
	} else {
		c.label.libVer = string(args[1])
	}
	c.label.mu.Unlock()
	c.w().OK()
}

func cmdClientReply(c *conn, args [][]byte) {
	switch upper(args[0]) {
	case "ON":
		c.reply = replyOn
		c.w().OK()
	case "OFF":
		c.reply = replyOff
	case "SKIP":
		if c.reply == replyOn {
			c.reply = replySkipNext
		}
	default:
		c.w().Error(reply.SyntaxError)
	}
}

func cmdClientNoEvict(c *conn, args [][]byte) {
	if on, ok := c.onOff(args[0]); ok {
		c.label.mu.Lock()
		c.label.noEvict = on
		c.label.mu.Unlock()
		c.w().OK()
	}
}

func cmdClientNoTouch(c *conn, args [][]byte) {
	if on, ok := c.onOff(args[0]); ok {
		c.noTouch = on
		c.w().OK()
	}
}

// cmdClientUnblock finds nobody: no command here blocks.
func cmdClientUnblock(c *conn, args [][]byte) {
	if _, err := strconv.ParseInt(string(args[0]), 10, 64); err != nil {
		c.w().Error(reply.NotInteger)
		return
	}
	if len(args) > 1 && upper(args[1]) != "TIMEOUT" && upper(args[1]) != "ERROR" || len(args) > 2 {
		c.w().Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	}
	c.w().Int(0)
}

func cmdClientCapa(c *conn, _ [][]byte) { c.w().OK() }

func cmdClientMaintNotifications(c *conn, _ [][]byte) {
	c.w().Error("ERR maintenance notifications are not supported; the topology is announced by MOVED")
}
