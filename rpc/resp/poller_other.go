//go:build !linux

package resp

import "net"

// poller needs epoll: elsewhere every connection has a goroutine of its own (thread).
type poller struct{}

type event struct {
	fd              int
	readable, ended bool
}

func newPoller() (*poller, error) { return nil, nil }

func (*poller) add(int) error                     { return nil }
func (*poller) wait(into []event, _ bool) []event { return into }
func (*poller) wake()                             {}
func (*poller) close()                            {}

func takeSocket(net.Conn) (int, bool) { return 0, false }

type socket int

func (socket) Read([]byte) (int, error)  { return 0, errWouldBlock }
func (socket) Write([]byte) (int, error) { return 0, errWouldBlock }
func (socket) shutdown()                 {}
func (socket) close()                    {}
