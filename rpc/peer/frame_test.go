package peer

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"
	"testing/iotest"
	"time"
)

func itoa(i int) string { return strconv.Itoa(i) }

func sample() *frame {
	return &frame{op: opRequest, kind: 9, group: 77, timeout: 1500 * time.Millisecond, id: 1 << 40, payload: []byte("payload")}
}

func decode(b []byte) (*frame, error) {
	f := new(frame)
	return f, newInbox(bytes.NewReader(b), readBuffer).next(1<<10, f)
}

func TestFrameRoundTrip(t *testing.T) {
	f, err := decode(appendFrame(nil, sample()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(appendFrame(nil, f), appendFrame(nil, sample())) {
		t.Errorf("got %+v", f)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	whole := appendFrame(nil, sample())
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if f, err := decode(b); err == nil {
			t.Errorf("bit %d flipped: decoded as %+v", bit, f)
		}
	}
}

func TestEveryCutIsNoticed(t *testing.T) {
	whole := appendFrame(nil, sample())
	for k := range whole {
		want := io.ErrUnexpectedEOF
		if k == 0 {
			want = io.EOF
		}
		if _, err := decode(whole[:k]); !errors.Is(err, want) {
			t.Errorf("cut after %d bytes: %v, want %v", k, err, want)
		}
	}
}

// Frames of every size come through an inbox of 64 bytes, whatever the network makes of them, and what is kept stays.
func TestFramesOfAllSizes(t *testing.T) {
	for name, chop := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader,
		"with the end": iotest.DataErrReader,
	} {
		var wire []byte
		for size := range 200 {
			wire = appendFrame(wire, &frame{op: opReply, id: uint64(size), payload: bytes.Repeat([]byte{byte(size)}, size)})
		}
		in := newInbox(chop(bytes.NewReader(wire)), 64)
		var kept [][]byte
		for size := range 200 {
			var f frame
			if err := in.next(1<<10, &f); err != nil || f.id != uint64(size) {
				t.Fatalf("%s: frame %d: %+v, %v", name, size, f, err)
			}
			kept = append(kept, in.keep(f.payload))
		}
		for size, p := range kept {
			if !bytes.Equal(p, bytes.Repeat([]byte{byte(size)}, size)) {
				t.Fatalf("%s: payload %d became %v", name, size, p)
			}
		}
		if err := in.next(1<<10, new(frame)); err != io.EOF {
			t.Errorf("%s: after the last frame: %v", name, err)
		}
	}
}

func TestShortTimeoutIsNotNone(t *testing.T) {
	if got := millis(time.Microsecond); got != 1 {
		t.Errorf("1 µs became %d ms", got)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, sample()))
	f.Add(appendFrame(appendFrame(nil, sample()), &frame{op: opAlive}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newInbox(iotest.HalfReader(bytes.NewReader(b)), 64) // small, so that frames lie across its end and do not fit
		for at := 0; ; {
			var fr frame
			if err := r.next(1<<16, &fr); err != nil {
				return
			}
			again := appendFrame(nil, &fr)
			if !bytes.Equal(again, b[at:at+len(again)]) {
				t.Fatalf("decoded %+v, which encodes to other bytes", fr)
			}
			at += len(again)
		}
	})
}
