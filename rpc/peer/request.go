package peer

import (
	"bytes"
	"errors"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Taker is asked first about a request of its kind, on the goroutine that reads the connection, so it must not block. If it
// takes the request, it sees to it that Reply or Fail is called once, by any goroutine. If it returns false, the kind's
// Handler is called as usual.
type Taker = func(q Request) (taken bool)

// Request is a call as its receiver sees it.
type Request struct {
	From  topology.NodeID
	Group slot.GroupID
	// Payload belongs to the receiver, which may keep it.
	Payload []byte

	kind Kind
	id   uint64
	to   replier
}

// replier is where a request came from.
type replier interface {
	finish(q Request, op byte, payload []byte)
}

// Reply answers the request. payload is copied before it returns.
func (q Request) Reply(payload []byte) { q.to.finish(q, opReply, payload) }

// Fail answers the request with an error, which reaches the caller as a *RemoteError.
func (q Request) Fail(err error) { q.to.finish(q, opError, []byte(err.Error())) }

type replyFunc func(payload []byte, err error)

func (f replyFunc) finish(_ Request, op byte, payload []byte) {
	if op == opError {
		f(nil, errors.New(string(payload)))
		return
	}
	f(bytes.Clone(payload), nil)
}

// NewRequest makes a request whose answer goes to reply, for networks in memory.
func NewRequest(from topology.NodeID, group slot.GroupID, payload []byte, reply func(payload []byte, err error)) Request {
	return Request{From: from, Group: group, Payload: payload, to: replyFunc(reply)}
}
