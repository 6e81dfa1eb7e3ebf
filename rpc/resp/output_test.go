package resp

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestWhoTakesNoRepliesIsIdle: replies that a client does not read are not kept for longer than it may be idle, and until then CLIENT
// LIST and the metrics tell what they take. Who reads slowly is not idle.
func TestWhoTakesNoRepliesIsIdle(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		t.Parallel()
		const idle, gets = time.Second, 20
		w := newWorld(t, 1, way, func(c *Config) { c.Timeout = idle })
		stuck, slow := w.dial(t), w.dial(t)
		value := strings.Repeat("v", 1<<20)
		slow.expect("+OK\r\n", "SET", "big", value)
		id, err := strconv.ParseInt(strings.Trim(stuck.do("CLIENT", "ID"), ":\r\n"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, each := range []*client{stuck, slow} {
			each.send(strings.Repeat(array("GET", "big"), gets))
		}
		await(t, "a clogged connection", func() bool {
			line := ""
			if c := w.srv.conns.get(id); c != nil {
				line = c.describe(time.Now())
			}
			return strings.Contains(line, " omem=") && !strings.Contains(line, " omem=0 ") && w.srv.stats.owed.Load() > 0
		})
		for i := range gets {
			if got := slow.read(); len(got) != len(value)+len("$1048576\r\n\r\n") {
				t.Fatalf("reply %d has %d bytes", i, len(got))
			}
			time.Sleep(2 * idle / gets)
		}
		await(t, "the end of the other", func() bool { return w.srv.conns.get(id) == nil })
		if n := w.srv.stats.owed.Load(); n != 0 {
			t.Errorf("its %d bytes are still counted", n)
		}
	})
}
