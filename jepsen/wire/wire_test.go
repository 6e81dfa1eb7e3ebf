package wire

import (
	"io"
	"slices"
	"sync"
	"testing"
	"time"
)

// plug is a port in memory.
type plug struct {
	out  chan []byte // what the wire reads
	in   chan []byte // what it has written
	once sync.Once
}

func (p *plug) Read(b []byte) (int, error) {
	packet, open := <-p.out
	if !open {
		return 0, io.EOF
	}
	return copy(b, packet), nil
}

func (p *plug) Write(b []byte) (int, error) {
	p.in <- append([]byte(nil), b...)
	return len(b), nil
}

func (p *plug) Close() error {
	p.once.Do(func() { close(p.out) })
	return nil
}

// wired connects n plugs; the first byte of a packet is its destination.
func wired(t *testing.T, n int) (*Wire, []*plug) {
	var plugs []*plug
	var ports []io.ReadWriteCloser
	for range n {
		p := &plug{out: make(chan []byte), in: make(chan []byte, 1000)}
		plugs, ports = append(plugs, p), append(ports, p)
	}
	w := New(ports, func(packet []byte) int { return int(packet[0]) })
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, plugs
}

func TestAGoodWireDelivers(t *testing.T) {
	_, plugs := wired(t, 3)
	for i := range 100 {
		plugs[0].out <- []byte{2, byte(i)}
	}
	for i := range 100 {
		if got := <-plugs[2].in; got[1] != byte(i) {
			t.Fatalf("packet %d is %v", i, got)
		}
	}
	if len(plugs[1].in) > 0 {
		t.Error("a packet went to the wrong port")
	}
}

func TestACutIsOneWay(t *testing.T) {
	w, plugs := wired(t, 2)
	w.Set(0, 1, Condition{Cut: true})
	plugs[0].out <- []byte{1}
	plugs[0].out <- []byte{9} // to nowhere: when it is taken, the one before has been handled
	plugs[1].out <- []byte{0}
	<-plugs[0].in
	w.Heal()
	plugs[0].out <- []byte{1, 7}
	if got := <-plugs[1].in; len(got) != 2 {
		t.Errorf("a packet that was cut off arrived: %v", got)
	}
	if c := w.Counts(0, 1); c != (Counts{Passed: 1, Lost: 1}) {
		t.Errorf("counts are %+v", c)
	}
}

func TestDelayKeepsTheOrderAndJitterDoesNot(t *testing.T) {
	w, plugs := wired(t, 2)
	send := func(c Condition) (got []byte) {
		w.Set(0, 1, c)
		for i := range 200 {
			plugs[0].out <- []byte{1, byte(i)}
		}
		for range 200 {
			got = append(got, (<-plugs[1].in)[1])
		}
		return got
	}
	began := time.Now()
	if got := send(Condition{Delay: 20 * time.Millisecond}); !slices.IsSorted(got) {
		t.Errorf("packets were reordered: %v", got)
	}
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("delayed packets arrived after %v", took)
	}
	if got := send(Condition{Jitter: 50 * time.Millisecond}); slices.IsSorted(got) {
		t.Error("no packet was overtaken")
	}
	if c := w.Counts(0, 1); c.Late != 400 || c.Passed != 400 {
		t.Errorf("counts are %+v", c)
	}
}

func TestLossLosesSome(t *testing.T) {
	w, plugs := wired(t, 2)
	w.Set(0, 1, Condition{Loss: 0.3})
	for range 1000 {
		plugs[0].out <- []byte{1}
	}
	plugs[0].out <- []byte{9}
	if c := w.Counts(0, 1); c.Passed+c.Lost != 1000 || c.Lost < 200 || c.Lost > 400 {
		t.Errorf("of 1000 packets at 30 %% loss: %+v", c)
	}
}

func TestABufferIsBounded(t *testing.T) {
	w, plugs := wired(t, 2)
	w.Set(0, 1, Condition{Delay: time.Hour})
	for range 3 * maxWaiting {
		plugs[0].out <- []byte{1}
	}
	plugs[0].out <- []byte{9}
	if c := w.Counts(0, 1); c != (Counts{Late: maxWaiting, Lost: 2 * maxWaiting}) {
		t.Errorf("counts are %+v", c)
	}
}
