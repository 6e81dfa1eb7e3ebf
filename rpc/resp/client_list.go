package resp

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
)

func cmdClientList(c *conn, args [][]byte) {
	c.lastCmd.Store(command.ByID(command.ClientList))
	var want filter
	for i := 0; i < len(args); i++ {
		switch opt := upper(args[i]); {
		case opt == "TYPE" && i+1 < len(args):
			i++
			if !want.setType(args[i]) {
				c.w().Error("ERR Unknown client type '" + string(args[i]) + "'")
				return
			}
		case opt == "ID" && i+1 < len(args):
			for i++; i < len(args); i++ {
				id, err := strconv.ParseInt(string(args[i]), 10, 64)
				if err != nil || id < 1 {
					c.w().Error("ERR Invalid client ID")
					return
				}
				want.ids = append(want.ids, id)
			}
		default:
			c.w().Error(reply.SyntaxError)
			return
		}
	}
	now := time.Now()
	var b strings.Builder
	for _, each := range c.s.conns.all() {
		if want.matches(each, now) {
			b.WriteString(each.describe(now))
			b.WriteByte('\n')
		}
	}
	c.w().Verbatim([]byte(b.String()))
}

// filter chooses connections. Empty fields match all.
type filter struct {
	ids                     []int64
	kind, addr, laddr, user string
	maxAge                  int64
}

func (f *filter) setType(arg []byte) bool {
	f.kind = strings.ToLower(string(arg))
	if f.kind == "slave" {
		f.kind = "replica"
	}
	return slices.Contains([]string{"normal", "pubsub", "replica", "master"}, f.kind)
}

func (f *filter) matches(c *conn, now time.Time) bool {
	return (len(f.ids) == 0 || slices.Contains(f.ids, c.id)) &&
		(f.kind == "" || f.kind == c.kind()) &&
		(f.addr == "" || f.addr == c.remote) &&
		(f.laddr == "" || f.laddr == c.localAddr) &&
		(f.user == "" || f.user == "default") &&
		(f.maxAge == 0 || now.Sub(c.born) >= time.Duration(f.maxAge)*time.Second)
}

func cmdClientKill(c *conn, args [][]byte) {
	if len(args) == 1 {
		if c.killMatching(&filter{addr: string(args[0])}, false) == 0 {
			c.w().Error("ERR No such client")
			return
		}
		c.w().OK()
		return
	}
	f, skipMe, problem := killOptions(args)
	if problem != "" {
		c.w().Error(problem)
		return
	}
	c.w().Int(int64(c.killMatching(&f, skipMe)))
}

func killOptions(args [][]byte) (f filter, skipMe bool, problem string) {
	skipMe = true
	if len(args)%2 != 0 {
		return f, skipMe, reply.SyntaxError
	}
	for i := 0; i < len(args); i += 2 {
		val := string(args[i+1])
		switch upper(args[i]) {
		case "ID", "MAXAGE":
			n, err := strconv.ParseInt(val, 10, 64)
			if err != nil || n < 1 {
				return f, skipMe, "ERR client-id should be greater than 0"
			}
			if upper(args[i]) == "ID" {
				f.ids = append(f.ids, n)
			} else {
				f.maxAge = n
			}
		case "TYPE":
			if !f.setType(args[i+1]) {
				return f, skipMe, "ERR Unknown client type '" + val + "'"
			}
		case "ADDR":
			f.addr = val
		case "LADDR":
			f.laddr = val
		case "USER":
			if val != "default" {
				return f, skipMe, "ERR No such user '" + val + "'"
			}
			f.user = val
		case "SKIPME":
			if v := strings.ToLower(val); v != "yes" && v != "no" {
				return f, skipMe, reply.SyntaxError
			}
			skipMe = strings.EqualFold(val, "yes")
		default:
			return f, skipMe, reply.SyntaxError
		}
	}
	return f, skipMe, ""
}

func (c *conn) killMatching(f *filter, skipMe bool) (killed int) {
	now := time.Now()
	for _, each := range c.s.conns.all() {
		if !f.matches(each, now) || skipMe && each == c {
			continue
		}
		killed++
		if each == c {
			c.closing = true
			continue
		}
		each.kill()
	}
	return killed
}
