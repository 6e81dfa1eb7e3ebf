package workload

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/sleep"
)

func finalGet(s *session, key string) { s.do(s.begin("final", key), "GET", key) }

func (s *session) get(key string) { s.do(s.begin("get", key), "GET", key) }

func (s *session) set(key string) {
	v := s.unique()
	s.do(s.begin("set", key, v), "SET", key, v)
}

func registerStep(s *session, key string) {
	switch n := s.rng.IntN(100); {
	case n < 45:
		s.get(key)
	case n < 85:
		s.set(key)
	case n < 95:
		v := s.unique()
		s.do(s.begin("getset", key, v), "SET", key, v, "GET")
	default:
		s.do(s.begin("del", key), "DEL", key)
	}
}

func casStep(s *session, key string) {
	switch n := s.rng.IntN(100); {
	case n < 40:
		s.get(key)
	case n < 50:
		s.set(key)
	default:
		s.compareAndSet(key)
	}
}

// compareAndSet reads what is there under WATCH and replaces just that. The operation begins with the WATCH.
func (s *session) compareAndSet(key string) {
	op := s.begin("cas", key, "", s.unique())
	conn, err := s.pin(key)
	if err != nil {
		s.end(op, nil, err)
		return
	}
	old, there, err := watched(s, conn, key)
	switch {
	case err != nil:
		op.Args[0] = "?"
		s.end(op, nil, &client.NotSentError{Addr: conn.Addr(), Err: err})
		s.lost(conn.Addr())
		return
	case !there:
		s.unpin(conn.Addr()) // and with it the watch
		s.set(key)
		return
	}
	op.Args[0] = old
	replies, err := transact(s.ctx, conn, [][]string{{"SET", key, op.Args[1]}})
	s.end(op, replies, err)
	if err != nil && !errors.Is(err, errConflict) {
		s.lost(conn.Addr())
	}
}

// watched reads key and watches it. Errors mean that nothing was written.
func watched(s *session, conn *client.Conn, key string) (value string, there bool, err error) {
	replies, err := conn.Pipeline(s.ctx, [][]string{{"WATCH", key}, {"GET", key}})
	if err != nil {
		return "", false, err
	}
	for _, v := range replies {
		if v.Kind == '-' {
			return "", false, &client.ReplyError{Text: v.Str}
		}
	}
	return replies[1].Str, !replies[1].Null, nil
}

func counterStep(s *session, key string) {
	if s.chance(40) {
		s.get(key)
		return
	}
	by := s.uniqueNumber()
	s.do(s.begin("incr", key, by), "INCRBY", key, by)
}

// ttlStep sets, changes and takes away deadlines, replaces what has not expired since it was watched, and reads, sometimes just
// around the deadline of its own last write.
func ttlStep(s *session, key string) {
	life := 30 + s.rng.IntN(400)
	ms := strconv.Itoa(life)
	switch n := s.rng.IntN(100); {
	case n < 52:
		s.get(key)
	case n < 60:
		s.compareAndSet(key)
	case n < 63:
		s.do(s.begin("persist", key), "PERSIST", key)
	case n < 70:
		s.do(s.begin("expire", key, ms), "PEXPIRE", key, ms)
	case n < 75:
		s.set(key)
	default:
		v := s.unique()
		s.do(s.begin("set", key, v, ms), "SET", key, v, "PX", ms)
		if n >= 97 {
			sleep.For(s.ctx, time.Duration(life-2)*time.Millisecond)
			for range 5 {
				s.get(key)
				sleep.For(s.ctx, time.Millisecond)
			}
		}
	}
}

// ballast is the size of the values that fill the nodes.
func (o Options) ballast() string { return strings.Repeat("x", cmp.Or(o.Ballast, 128<<10)) }

func evictionStep(s *session, key string) {
	if s.chance(20) {
		fill := "fill:" + s.unique()
		// Not part of the history: nobody reads it.
		_, _ = s.cluster.Do(s.ctx, fill, "SET", fill, s.opts.ballast())
	}
	if s.chance(10) {
		s.compareAndSet(key)
		return
	}
	registerStep(s, key)
}

// pipelineStep sends several commands at once, each about a register of its own in the object's slot. Their replies come at one
// time, so several about one register would all be concurrent for the checker: 30 at a time are beyond any search.
func pipelineStep(s *session, key string) {
	conn, err := s.pin(key)
	if err != nil {
		s.end(s.begin("get", key+names[0]), nil, err)
		return
	}
	var ops []history.Op
	var cmds [][]string
	for _, i := range s.rng.Perm(len(names)) {
		register := key + names[i]
		if s.chance(50) {
			ops, cmds = append(ops, s.begin("get", register)), append(cmds, []string{"GET", register})
			continue
		}
		v := s.unique()
		ops, cmds = append(ops, s.begin("set", register, v)), append(cmds, []string{"SET", register, v})
	}
	replies, err := conn.Pipeline(s.ctx, cmds)
	wrong := err != nil
	for i, op := range ops {
		switch {
		case i >= len(replies):
			s.end(op, nil, err)
		case replies[i].Kind == '-':
			s.end(op, nil, &client.ReplyError{Text: replies[i].Str})
			wrong = true
		default:
			s.end(op, texts(replies[i]), nil)
		}
	}
	if wrong {
		s.lost(conn.Addr())
	}
}

func pipelineFinal(s *session, key string) {
	for _, name := range names {
		if finalGet(s, key+name); s.failed {
			return
		}
	}
}

// followerStep reads from any node on a connection that said READONLY.
func followerStep(s *session, key string) {
	if s.chance(50) {
		s.set(key)
		return
	}
	addr := s.opts.Seeds[s.rng.IntN(len(s.opts.Seeds))]
	op := s.begin("get", key)
	conn, err := s.connect(addr)
	if err == nil {
		_, err = conn.Do(s.ctx, "READONLY")
	}
	var v client.Value
	if err == nil {
		v, err = conn.Do(s.ctx, "GET", key)
	}
	s.end(op, texts(v), err)
	if err != nil {
		s.unpin(addr)
	}
}
