package client

import (
	"errors"
	"fmt"
	"strings"
)

// Outcome says what became of a command.
type Outcome int

// The three outcomes.
const (
	Applied Outcome = iota
	NotApplied
	Unknown
)

func (o Outcome) String() string { return [...]string{"applied", "not applied", "unknown"}[o] }

// ReplyError is an error reply of the server.
type ReplyError struct{ Text string }

func (e *ReplyError) Error() string { return e.Text }

// Code is the first word: ERR, MOVED, UNCERTAIN, …
func (e *ReplyError) Code() string {
	code, _, _ := strings.Cut(e.Text, " ")
	return code
}

// NotSentError says that a command did not leave this machine, so it was not applied.
type NotSentError struct {
	Addr string
	Err  error
}

func (e *NotSentError) Error() string { return fmt.Sprintf("%s: not sent: %v", e.Addr, e.Err) }
func (e *NotSentError) Unwrap() error { return e.Err }

// NoReplyError says that a command was (at least partly) sent and no reply came.
type NoReplyError struct {
	Addr string
	Err  error
}

func (e *NoReplyError) Error() string { return fmt.Sprintf("%s: no reply: %v", e.Addr, e.Err) }
func (e *NoReplyError) Unwrap() error { return e.Err }

// OutcomeOf tells what the error of Do means for the command: nil is Applied; every error reply but UNCERTAIN
// promises NotApplied (guarantee G6); no reply is Unknown.
func OutcomeOf(err error) Outcome {
	var reply *ReplyError
	var notSent *NotSentError
	switch {
	case err == nil:
		return Applied
	case errors.As(err, &notSent):
		return NotApplied
	case errors.As(err, &reply) && reply.Code() != "UNCERTAIN":
		return NotApplied
	default:
		return Unknown
	}
}
