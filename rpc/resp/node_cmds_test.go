package resp

import "testing"

func TestSlotsAreReadNotLogged(t *testing.T) {
	w := newWorld(t, 1)
	c := w.dial(t)
	c.expect(":0\r\n", "CLUSTER", "COUNTKEYSINSLOT", "866")
	c.expect("*0\r\n", "CLUSTER", "GETKEYSINSLOT", "866", "9")
	c.expect("*1\r\n*2\r\n:866\r\n*2\r\n$9\r\nkey-count\r\n:0\r\n", "CLUSTER", "SLOT-STATS", "SLOTSRANGE", "866", "866")
	if submits, _, _ := w.groups[1].counted(); submits != 0 {
		t.Errorf("%d calls went through the log", submits)
	}
}
