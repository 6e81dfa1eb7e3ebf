package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A snapshot is a sequence of frames:
//
//	kind (1 byte) | length of payload (4, little endian) | payload | CRC-32C of all before (4)
//
// They are the header, the slots that the group has, for each slot that has or had keys a slot frame, its data and the slot's end, and the
// trailer.
//
// A flipped bit is caught by the frame's own checksum, a lost or repeated frame by the order that the reader wants and
// by the trailer, a cut-off file by the missing trailer.
const (
	frameHead    = 1 + 4
	frameSum     = 4
	maxFrameBody = 256 << 10

	kindHeader    = 'H'
	kindSlots     = 'O'
	kindSlot      = 'S'
	kindData      = 'D'
	kindSlotEnd   = 'E'
	kindTrailer   = 'T'
	snapshotMagic = "quorate1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameWriter writes frames; errors stick.
type frameWriter struct {
	w       io.Writer
	buf     []byte
	written int64
	err     error
}

func (f *frameWriter) frame(kind byte, body []byte) {
	if f.err != nil {
		return
	}
	f.buf = append(f.buf[:0], kind)
	f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(len(body)))
	f.buf = append(f.buf, body...)
	f.buf = binary.LittleEndian.AppendUint32(f.buf, crc32.Checksum(f.buf, castagnoli))
	n, err := f.w.Write(f.buf)
	f.written += int64(n)
	f.err = err
}

// dataWriter cuts a stream into data frames.
type dataWriter struct {
	frames *frameWriter
	buf    []byte
}

func (d *dataWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(maxFrameBody-len(d.buf), len(p))
		d.buf = append(d.buf, p[:n]...)
		p = p[n:]
		if len(d.buf) == maxFrameBody {
			d.flush()
		}
	}
	return total, d.frames.err
}

func (d *dataWriter) flush() {
	if len(d.buf) > 0 {
		d.frames.frame(kindData, d.buf)
		d.buf = d.buf[:0]
	}
}

// frameReader reads and verifies frames. It holds one frame at a time, so hostile lengths cost at most maxFrameBody.
type frameReader struct {
	r    io.Reader
	buf  []byte
	seen int64
	// kind and body are the current frame. body is valid until the next call.
	kind byte
	body []byte
}

var errTruncated = errors.New("cut off: the file ends before its trailer; use another snapshot")

func (f *frameReader) next() error {
	if err := f.read(0, frameHead); err != nil {
		return err
	}
	size := int(binary.LittleEndian.Uint32(f.buf[1:]))
	if size > maxFrameBody {
		return f.damaged("frame length %d is over the limit of %d", size, maxFrameBody)
	}
	if err := f.read(frameHead, size+frameSum); err != nil {
		return err
	}
	end := frameHead + size
	if sum, want := crc32.Checksum(f.buf[:end], castagnoli), binary.LittleEndian.Uint32(f.buf[end:]); sum != want {
		return f.damaged("checksum %08x, want %08x", sum, want)
	}
	f.kind, f.body = f.buf[0], f.buf[frameHead:end]
	f.seen += int64(len(f.buf))
	return nil
}

// read fills buf[from:from+n].
func (f *frameReader) read(from, n int) error {
	if cap(f.buf) < from+n {
		f.buf = append(make([]byte, 0, frameHead+maxFrameBody+frameSum), f.buf[:from]...)
	}
	f.buf = f.buf[:from+n]
	_, err := io.ReadFull(f.r, f.buf[from:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return f.damaged("%w", errTruncated)
	}
	if err != nil {
		return fmt.Errorf("snapshot: read at byte %d: %w", f.seen, err)
	}
	return nil
}

// damaged builds the error for a snapshot that must not be used.
func (f *frameReader) damaged(format string, args ...any) error {
	return fmt.Errorf("snapshot damaged in the frame at byte %d: %w", f.seen, fmt.Errorf(format, args...))
}

// want reads the next frame, which must be of this kind.
func (f *frameReader) want(kind byte) error {
	if err := f.next(); err != nil {
		return err
	}
	if f.kind != kind {
		return f.damaged("frame of kind %q where %q belongs", f.kind, kind)
	}
	return nil
}

// dataReader joins data frames into a stream that ends at the first frame of another kind, which it leaves current.
type dataReader struct {
	frames *frameReader
	rest   []byte
	done   bool
}

func (d *dataReader) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.done {
			return 0, io.EOF
		}
		if err := d.frames.next(); err != nil {
			return 0, err
		}
		d.done = d.frames.kind != kindData
		if !d.done {
			d.rest = d.frames.body
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}
