package resp

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
)

// pause is CLIENT PAUSE: commands wait before they are executed.
type pause struct {
	// on is checked by every command, everything else only while on is set.
	on    atomic.Bool
	mu    sync.Mutex
	until time.Time
	all   bool
	// ended is closed by CLIENT UNPAUSE and when the pause changes.
	ended chan struct{}
}

// applies reports whether a command must wait. Administration goes on, or nobody could end the pause.
func (p *pause) applies(spec *command.Spec, inTx bool) bool {
	if !p.on.Load() || inTx && spec.ID != command.Exec {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().After(p.until) {
		p.on.Store(false)
		return false
	}
	if p.all {
		return spec.Home != command.Conn || spec.ID == command.Exec
	}
	return spec.Has(command.Write) || spec.ID == command.Exec
}

// wait blocks until the pause no longer applies, or stop is closed.
func (p *pause) wait(spec *command.Spec, stop <-chan struct{}) {
	for p.applies(spec, false) {
		p.mu.Lock()
		timer, ended := time.NewTimer(time.Until(p.until)), p.ended
		p.mu.Unlock()
		select {
		case <-timer.C:
		case <-ended:
		case <-stop:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// set starts or extends a pause. As in Redis, a later end and the wider kind win.
func (p *pause) set(until time.Time, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	running := p.on.Load() && time.Now().Before(p.until)
	if running {
		all = all || p.all
		if p.until.After(until) {
			until = p.until
		}
	}
	if p.ended != nil {
		close(p.ended)
	}
	p.until, p.all, p.ended = until, all, make(chan struct{})
	p.on.Store(true)
}

func (p *pause) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on.Store(false)
	if p.ended != nil {
		close(p.ended)
		p.ended = nil
	}
}

func cmdClientPause(c *conn, args [][]byte) {
	ms, err := strconv.ParseInt(string(args[0]), 10, 64)
	switch {
	case err != nil || ms > maxPause:
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
