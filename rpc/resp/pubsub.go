package resp

import "strconv"

// cmdSubscribe serves RESP2 clients that receive invalidations on a connection of their own. No other channel ever
// has a message: this server has no PUBLISH.
func cmdSubscribe(c *conn, args [][]byte) {
	if len(args)+len(c.channels) > maxChannels {
		c.w().Error("ERR too many channels: at most " + strconv.Itoa(maxChannels))
		return
	}
	c.subscription("subscribe", true, args)
}

func cmdUnsubscribe(c *conn, args [][]byte) {
	if len(args) == 0 {
		args = c.channels
	}
	if len(args) == 0 {
		c.subscriptionReply("unsubscribe", nil)
		return
	}
	c.subscription("unsubscribe", false, args)
}

func (c *conn) subscription(verb string, add bool, args [][]byte) {
	for _, channel := range clone(args) {
		at := indexOf(c.channels, channel)
		switch {
		case add && at < 0:
			c.channels = append(c.channels, channel)
		case !add && at >= 0:
			c.channels = append(c.channels[:at:at], c.channels[at+1:]...)
		}
		c.subscriptionReply(verb, channel)
	}
	c.subscribed = len(c.channels) > 0
}

func indexOf(list [][]byte, b []byte) int {
	for i := range list {
		if string(list[i]) == string(b) {
			return i
		}
	}
	return -1
}

func (c *conn) subscriptionReply(verb string, channel []byte) {
	w := c.w()
	w.Push(3)
	w.BulkString(verb)
	if channel == nil {
		w.Null()
	} else {
		w.Bulk(channel)
	}
	w.Int(int64(len(c.channels)))
}
