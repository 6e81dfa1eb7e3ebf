package peer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Kind says which handler a call is for. Kind and the handlers are aliases, so that packages which must not
// import this one can still name them in interfaces of their own.
type Kind = uint8

// Handler answers one call. It runs on a goroutine of its own and may block; ctx ends at the caller's deadline or
// when the connection is lost. The payload belongs to the handler, which may keep it; the reply is copied before
// the goroutine ends. An error reaches the caller as a *RemoteError.
type Handler = func(ctx context.Context, from topology.NodeID, group slot.GroupID, payload []byte) ([]byte, error)

// StreamHandler receives a stream of exactly size bytes. body fails with an error that is not io.EOF if the stream
// is cut, damaged or shorter than announced. What the handler leaves unread is discarded.
type StreamHandler = func(ctx context.Context, from topology.NodeID, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error)

var (
	// ErrNotSent: the handler did not run and never will (no address, no connection, a full queue, a refusal).
	ErrNotSent = errors.New("not sent")
	// ErrTooLarge comes together with ErrNotSent: the request is over Options.MaxFrame, so whoever sends it again sends it for ever.
	ErrTooLarge = errors.New("larger than a frame")
	// ErrNoAnswer: the request was handed to the network and no answer came; the handler may or may not have run.
	ErrNoAnswer = errors.New("no answer")
	// ErrClosed: this node's Close was called. It comes together with ErrNotSent or ErrNoAnswer.
	ErrClosed = errors.New("peer connections are closed")
)

// RemoteError is the error that the other node's handler returned: the handler ran.
type RemoteError struct {
	Node topology.NodeID
	Text string
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("node %s: %s", e.Node, e.Text)
}
