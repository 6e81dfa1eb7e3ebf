package resp

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
)

// pause is CLIENT PAUSE: commands wait before they are executed. They stay unread by their connections, whose drivers go on
// looking at them: a client that goes away, as one does whose patience ends, must not find later that its command was executed.
type pause struct {
	// on is checked by every command, everything else only while on is set.
	on    atomic.Bool
	mu    sync.Mutex
	until time.Time
	all   bool
	timer *time.Timer
	// waiting are the connections that hear of the end.
	waiting map[*conn]struct{}
	// stopped: the server stops, and nothing is held back any more.
	stopped bool
}

// holds reports whether c's next command must wait. If so, c is resumed when that may have changed. Administration goes on, or
// nobody could end the pause.
func (p *pause) holds(c *conn, spec *command.Spec) bool {
	if !p.on.Load() || spec == nil || !c.authed || c.tx.open && spec.ID != command.Exec {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on.Load() || !p.concerns(spec) || !time.Now().Before(p.until) {
		return false
	}
	if p.waiting == nil {
		p.waiting = map[*conn]struct{}{}
	}
	p.waiting[c] = struct{}{}
	return true
}

func (p *pause) concerns(spec *command.Spec) bool {
	if p.all {
		return spec.Home != command.Conn || spec.ID == command.Exec
	}
	return spec.Has(command.Write) || spec.ID == command.Exec
}

// forget is called when c has ended.
func (p *pause) forget(c *conn) {
	if !p.on.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, c)
}

// set starts or extends a pause. As in Redis, a later end and the wider kind win.
func (p *pause) set(until time.Time, all bool) {
	p.mu.Lock()
	if p.on.Load() && time.Now().Before(p.until) {
		all = all || p.all
		if p.until.After(until) {
			until = p.until
		}
	}
	p.schedule(until)
	p.all = all
	p.on.Store(!p.stopped)
	p.mu.Unlock()
	p.look()
}

// schedule needs mu.
func (p *pause) schedule(until time.Time) {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.until, p.timer = until, nil
	if left := time.Until(until); left > 0 {
		p.timer = time.AfterFunc(left, p.look)
	}
}

// look ends the pause if its time is over, and resumes all that wait.
func (p *pause) look() {
	p.mu.Lock()
	if !time.Now().Before(p.until) {
		p.on.Store(false)
	}
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for c := range waiting {
		c.by.resume(c)
	}
}

// end is CLIENT UNPAUSE.
func (p *pause) end() {
	p.mu.Lock()
	p.schedule(time.Time{})
	p.mu.Unlock()
	p.look()
}

// stop ends this pause and those to come.
func (p *pause) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.end()
}

func cmdClientPause(c *conn, args [][]byte) {
	ms, ok := parseInteger(args[0])
	switch {
	case !ok || ms > maxPause:
		c.w().Error(reply.TimeoutNotInt)
		return
	case ms < 0:
		c.w().Error(reply.TimeoutNegative)
		return
	}
	all := true
	if len(args) > 1 {
		switch upper(args[1]) {
		case "WRITE":
			all = false
		case "ALL":
		default:
			c.w().Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
			return
		}
	}
	c.s.pause.set(time.Now().Add(time.Duration(ms)*time.Millisecond), all)
	c.w().OK()
}

// maxPause is a hundred years in milliseconds; longer ones overflow a time.Duration.
const maxPause = 100 * 365 * 24 * 3600 * 1000

func cmdClientUnpause(c *conn, _ [][]byte) {
	c.s.pause.end()
	c.w().OK()
}
