package resp

import (
	"net"
	"testing"
	"time"
)

// FuzzConversation feeds a connection arbitrary bytes, in two pieces. Whatever they are, the server must survive, and
// the next client must be served.
func FuzzConversation(f *testing.F) {
	for _, seed := range []string{
		array("SET", "a", "1") + array("GET", "a"), array("MULTI") + array("SET", "a", "1") + array("EXEC"),
		array("HELLO", "3") + array("CLIENT", "TRACKING", "ON", "BCAST"), "PING\r\nSET a \"b c\"\r\n",
		array("SCAN", "0", "COUNT", "5") + array("CLUSTER", "SHARDS"), "*1\r\n$-2\r\n", "*3\r\n$3\r\nSET\r\n$1\r\n",
		array("CLIENT", "REPLY", "OFF") + array("WATCH", "a", "b"), array("CONFIG", "GET", "*") + array("COMMAND", "DOCS", "get"),
		array("CLUSTER", "SLOT-STATS", "ORDERBY", "key-count", "LIMIT", "2"), array("SUBSCRIBE", "x") + array("UNSUBSCRIBE"),
	} {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	w := newWorld(f, 3, func(c *Config) { c.MaxBulkLen, c.QueryBufferLimit = 1<<20, 1<<20; c.ParkTimeout = time.Millisecond })
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		far, near := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			c := newConn(w.srv, far)
			if w.srv.conns.reserve(c, 1000) {
				t := newThread(c, far)
				w.srv.conns.add(c)
				t.run()
			}
		}()
		go func() {
			room := make([]byte, 4096)
			for {
				if _, err := near.Read(room); err != nil {
					return
				}
			}
		}()
		at := min(int(cut), len(in))
		_ = near.SetWriteDeadline(time.Now().Add(patience))
		if _, err := near.Write(in[:at]); err == nil {
			_, _ = near.Write(in[at:])
		}
		near.Close()
		<-done
		w.srv.pause.end()
	})
}
