package peer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"
)

func itoa(i int) string { return strconv.Itoa(i) }

func sample() *frame {
	return &frame{op: opRequest, kind: 9, group: 77, timeout: 1500 * time.Millisecond, id: 1 << 40, payload: []byte("payload")}
}

func decode(b []byte) (*frame, error) {
	f := new(frame)
	return f, readFrame(bufio.NewReader(bytes.NewReader(b)), 1<<10, f)
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

func TestShortTimeoutIsNotNone(t *testing.T) {
	if got := millis(time.Microsecond); got != 1 {
		t.Errorf("1 µs became %d ms", got)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, sample()))
	f.Add(appendFrame(appendFrame(nil, sample()), &frame{op: opAlive}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for at := 0; ; {
			var fr frame
			if err := readFrame(r, 1<<16, &fr); err != nil {
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
