package workload

import (
	"errors"
	"strconv"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/check"
)

// names are the keys of an object that has several: they share its hash tag and so its slot.
var names = []string{"x", "y", "z"}

// appendStep appends a unique element to some of an object's lists and reads some, in one transaction.
func appendStep(s *session, key string) {
	var args []string
	var cmds [][]string
	for _, i := range s.rng.Perm(len(names)) {
		list := names[i]
		if s.chance(50) {
			element := s.unique()
			args = append(args, "append "+list+" "+element)
			cmds = append(cmds, []string{"APPEND", key + list, element + check.Separator})
		}
		if s.chance(50) || len(args) == 0 {
			args = append(args, "read "+list)
			cmds = append(cmds, []string{"GET", key + list})
		}
	}
	s.multi(s.begin("txn", key, args...), cmds...)
}

func appendFinal(s *session, key string) {
	var args []string
	var cmds [][]string
	for _, list := range names {
		args = append(args, "read "+list)
		cmds = append(cmds, []string{"GET", key + list})
	}
	s.multi(s.begin("final", key, args...), cmds...)
}

func vectorStep(s *session, key string) {
	if s.chance(50) {
		vectorFinal(s, key)
		return
	}
	v := s.unique()
	cmd := []string{"MSET"}
	for _, name := range names {
		cmd = append(cmd, key+name, v)
	}
	s.do(s.begin("mset", key, v), cmd...)
}

func vectorFinal(s *session, key string) {
	cmd := []string{"MGET"}
	for _, name := range names {
		cmd = append(cmd, key+name)
	}
	s.do(s.begin("mget", key), cmd...)
}

// lockStep takes a lock, or gives back the one that it believes to hold, or asks who holds it.
func lockStep(s *session, key string) {
	token := s.token[key]
	switch {
	case s.chance(30):
		lockFinal(s, key)
	case token != "":
		delete(s.token, key)
		s.release(key, token)
	default:
		s.acquire(key)
	}
}

func lockFinal(s *session, key string) { s.do(s.begin("holder", key), "GET", key+"lock") }

func (s *session) acquire(key string) {
	token, ms := s.unique(), strconv.Itoa(50+s.rng.IntN(300))
	op := s.begin("acquire", key, token, ms)
	replies := s.multi(op, []string{"SET", key + "lock", token, "NX", "PX", ms}, []string{"INCR", key + "fence"})
	if len(replies) > 0 && replies[0] != nil {
		s.token[key] = token
	}
}

// release deletes the lock if it still holds token.
func (s *session) release(key, token string) {
	op := s.begin("release", key, token)
	conn, err := s.pin(key)
	if err != nil {
		s.end(op, nil, err)
		return
	}
	lock := key + "lock"
	value, there, err := watched(s, conn, lock)
	switch {
	case err != nil:
		s.end(op, nil, &client.NotSentError{Addr: conn.Addr(), Err: err})
		s.lost(conn.Addr())
	case !there || value != token:
		s.unpin(conn.Addr()) // and with it the watch
		s.end(op, nil, errConflict)
	default:
		replies, err := transact(s.ctx, conn, [][]string{{"DEL", lock}})
		if err == nil && *replies[0] != "1" {
			err = errConflict
		}
		s.end(op, replies, err)
		if err != nil && !errors.Is(err, errConflict) {
			s.lost(conn.Addr())
		}
	}
}
