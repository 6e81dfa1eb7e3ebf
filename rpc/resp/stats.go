package resp

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/command"
)

// maxCommandID is above every command's id; a test compares it with the table.
const maxCommandID = 1 << 11

// family groups commands for latencies.
type family uint8

const (
	reads family = iota
	writes
	others
	families
)

var familyNames = [families]string{"read", "write", "other"}

func familyOf(spec *command.Spec) family {
	switch {
	case spec.Home != command.Keyed && spec.ID != command.Exec:
		return others
	case spec.Has(command.ReadOnly):
		return reads
	}
	return writes
}

// latencyBuckets are powers of two of microseconds, from 1 µs to 2^23 µs = 8 s, and beyond.
const latencyBuckets = 25

// stats are counted by all connections. Hot ones are added to once per run, not per command.
type stats struct {
	accepted, rejected, bytesIn, bytesOut       atomic.Uint64
	sharedReads, sharedWrites                   atomic.Uint64
	protocolErrors, outputLimitKills            atomic.Uint64
	uncertain, nudges, total, failed            atomic.Uint64
	authFailures, parked                        atomic.Uint64
	hits, misses                                atomic.Uint64
	owed                                        atomic.Int64 // see conn.owe
	commands                                    [maxCommandID]commandStats
	latency                                     [families][latencyBuckets]atomic.Uint64
	latencySum                                  [families]atomic.Uint64
	errMu                                       sync.Mutex
	errors                                      map[string]uint64
	rateMu                                      sync.Mutex
	rateAt                                      time.Time
	rateOps, rateIn, rateOut                    uint64
	opsPerSecond, inKBPerSecond, outKBPerSecond float64
}

// commandStats are those of one command, as INFO commandstats shows them.
type commandStats struct{ calls, usec, rejected, failed atomic.Uint64 }

// account counts a run. Commands that were executed together share its time.
func (c *conn) account() {
	r := c.run
	elapsed := time.Since(r.began)
	c.active.Store(r.began.UnixNano())
	st := &c.s.stats
	usec := uint64(elapsed.Microseconds())
	share := usec / uint64(len(r.cmds))
	own := 0
	for i := 0; i < len(r.cmds); {
		spec := r.cmds[i].spec
		n, failed := uint64(0), uint64(0)
		for ; i < len(r.cmds) && r.cmds[i].spec == spec; i++ {
			n++
			if c.countReply(&r.cmds[i], &own) {
				failed++
			}
		}
		if spec == nil {
			continue
		}
		c.lastCmd.Store(spec)
		st.count(spec, n, failed, share, usec)
	}
	st.total.Add(uint64(len(r.cmds)))
	for _, gc := range r.calls[:r.used] {
		r.hits += gc.Out.Hits
		r.misses += gc.Out.Misses
	}
	if r.hits+r.misses > 0 {
		st.hits.Add(r.hits)
		st.misses.Add(r.misses)
		r.hits, r.misses = 0, 0
	}
	if limit := c.s.cfg.Load().SlowlogSlowerThan; limit >= 0 && elapsed >= limit {
		c.logSlow(elapsed)
	}
}

func (st *stats) count(spec *command.Spec, n, failed, share, usec uint64) {
	cs := &st.commands[spec.ID]
	cs.calls.Add(n)
	cs.usec.Add(n * share)
	if failed > 0 {
		cs.failed.Add(failed)
		st.failed.Add(failed)
	}
	f := familyOf(spec)
	st.latency[f][bucketOf(usec)].Add(n)
	st.latencySum[f].Add(n * usec)
}

// countReply looks at one reply; own is the end of the inline reply before. It reports whether it is an error.
func (c *conn) countReply(p *placed, own *int) bool {
	var text []byte
	if p.call == inline {
		text = c.run.own.Buf[*own:p.at]
		*own = p.at
		if p.spec == nil {
			// Refused: counted when it was.
			return false
		}
	} else {
		text = c.run.replyOf(p)
	}
	if len(text) == 0 {
		return false
	}
	if id := p.spec.ID; id == command.Get || id == command.Getex || id == command.Getdel {
		c.run.looked(text)
	}
	if text[0] != '-' {
		return false
	}
	c.s.stats.countError(text)
	return true
}

// maxErrorKinds bounds INFO errorstats; clients choose some prefixes.
const maxErrorKinds = 128

// countError counts an error reply by its first word.
func (st *stats) countError(text []byte) {
	if len(text) == 0 || text[0] != '-' {
		return
	}
	end := bytes.IndexAny(text, " \r")
	if end < 0 {
		return
	}
	st.errMu.Lock()
	defer st.errMu.Unlock()
	if st.errors == nil {
		st.errors = map[string]uint64{}
	}
	code := string(text[1:end])
	if _, known := st.errors[code]; known || len(st.errors) < maxErrorKinds || slices.Contains(codes, code) {
		st.errors[code]++
	}
}

// reset answers CONFIG RESETSTAT.
func (st *stats) reset() {
	for _, n := range []*atomic.Uint64{
		&st.accepted, &st.rejected, &st.bytesIn, &st.bytesOut, &st.sharedReads, &st.sharedWrites, &st.protocolErrors, &st.outputLimitKills,
		&st.uncertain, &st.nudges, &st.total, &st.failed, &st.authFailures, &st.parked, &st.hits, &st.misses,
	} {
		n.Store(0)
	}
	for i := range st.commands {
		for _, n := range []*atomic.Uint64{&st.commands[i].calls, &st.commands[i].usec, &st.commands[i].rejected, &st.commands[i].failed} {
			n.Store(0)
		}
	}
	st.resetLatency()
	st.errMu.Lock()
	st.errors = nil
	st.errMu.Unlock()
	st.rateMu.Lock()
	st.rateAt, st.rateOps, st.rateIn, st.rateOut = time.Time{}, 0, 0, 0
	st.rateMu.Unlock()
}

func (st *stats) resetLatency() {
	for f := range st.latency {
		st.latencySum[f].Store(0)
		for b := range st.latency[f] {
			st.latency[f][b].Store(0)
		}
	}
}

// rates returns commands and kilobytes per second since it was last asked, at least a second ago.
func (st *stats) rates(now time.Time) (ops, in, out float64) {
	st.rateMu.Lock()
	defer st.rateMu.Unlock()
	if since := now.Sub(st.rateAt); since >= time.Second {
		total, bytesIn, bytesOut := st.total.Load(), st.bytesIn.Load(), st.bytesOut.Load()
		if !st.rateAt.IsZero() {
			st.opsPerSecond = float64(total-st.rateOps) / since.Seconds()
			st.inKBPerSecond = float64(bytesIn-st.rateIn) / 1024 / since.Seconds()
			st.outKBPerSecond = float64(bytesOut-st.rateOut) / 1024 / since.Seconds()
		}
		st.rateAt, st.rateOps, st.rateIn, st.rateOut = now, total, bytesIn, bytesOut
	}
	return st.opsPerSecond, st.inKBPerSecond, st.outKBPerSecond
}
