package resp

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/command"
)

// TestClientNoTouch: the client's reads are no uses of keys, except TOUCH; its writes are, because logs do not say who wrote.
func TestClientNoTouch(t *testing.T) {
	c := newWorld(t, 1).undriven(t)
	marked := func() string {
		var names []string
		for _, id := range []command.ID{command.Get, command.Mget, command.Touch, command.Incr} {
			if c.op(command.ByID(id), nil).NoTouch {
				names = append(names, command.ByID(id).Name)
			}
		}
		return strings.Join(names, " ")
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{func() { cmdClientNoTouch(c, [][]byte{[]byte("ON")}) }, "get mget"},
		{func() { cmdClientNoTouch(c, [][]byte{[]byte("OFF")}) }, ""},
		{func() { cmdClientNoTouch(c, [][]byte{[]byte("on")}); cmdReset(c, nil) }, ""},
	} {
		if step.do(); marked() != step.want {
			t.Errorf("got %q, want %q", marked(), step.want)
		}
	}
}
