package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/quorate/quorate/fsm/slot"
)

// A frame on the wire, big-endian:
//
//	length   u32  bytes after this field
//	op       u8
//	kind     u8
//	reserved u16  0
//	group    u32
//	timeout  u32  of a request, in ms from its receipt
//	id       u64  of a request, its reply has the same; the number of a chunk of a stream
//	payload
//	crc      u32  CRC-32C of everything before it
const (
	headerSize = 24
	crcSize    = 4
	// overhead is what length counts besides the payload.
	overhead = headerSize - 4 + crcSize
)

// Ops of frames.
const (
	opRequest = 1 + iota
	opReply
	// opError: the handler ran and failed, the payload is its error's text. opRefused: it did not run, and why.
	opError
	opRefused
	// opStream opens a stream: the payload is its size (u64) and header. opData is a chunk of it; opAlive says that
	// the receiver is still busy with it.
	opStream
	opData
	opAlive
	opEnd // the first op that is not one
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

type frame struct {
	op      byte
	kind    Kind
	group   slot.GroupID
	timeout time.Duration
	id      uint64
	payload []byte
}

// appendFrame encodes f. The caller has checked that the payload is not over the limit.
func appendFrame(b []byte, f *frame) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(overhead+len(f.payload)))
	b = append(b, f.op, f.kind, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(f.group))
	b = binary.BigEndian.AppendUint32(b, millis(f.timeout))
	b = binary.BigEndian.AppendUint64(b, f.id)
	b = append(b, f.payload...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], crcTable))
}

// millis rounds up, so that a short timeout does not become "none".
func millis(d time.Duration) uint32 {
	return uint32(min(max(0, (d+time.Millisecond-1)/time.Millisecond), math.MaxUint32))
}

// errDamaged says that the bytes are no frame: the connection has damaged them, or the other side is no peer.
var errDamaged = errors.New("damaged frame")

// inbox takes a connection's bytes apart into frames. It reads as much as there is with one call.
type inbox struct {
	src io.Reader
	buf []byte
	// buf[from:to] has been read and not been taken.
	from, to int
}

func newInbox(src io.Reader, size int) *inbox { return &inbox{src: src, buf: make([]byte, size)} }

// next reads one frame into f. Its payload is part of the inbox and gone with the next call, unless whole frames of that
// size do not fit. At the clean end of the stream it returns io.EOF.
func (r *inbox) next(limit int, f *frame) error {
	if err := r.fill(headerSize); err != nil {
		return err
	}
	head := r.buf[r.from : r.from+headerSize]
	length := binary.BigEndian.Uint32(head)
	if length < overhead || length > uint32(min(limit+overhead, math.MaxUint32)) {
		return fmt.Errorf("%w: its length of %d bytes is over the limit of %d", errDamaged, length, limit)
	}
	f.op, f.kind = head[4], head[5]
	if f.op == 0 || f.op >= opEnd || head[6] != 0 || head[7] != 0 {
		return fmt.Errorf("%w: its operation %d is not known", errDamaged, f.op)
	}
	f.group = slot.GroupID(binary.BigEndian.Uint32(head[8:]))
	f.timeout = time.Duration(binary.BigEndian.Uint32(head[12:])) * time.Millisecond
	f.id = binary.BigEndian.Uint64(head[16:])
	whole := int(length) + 4
	if whole > len(r.buf) {
		return r.large(f, whole)
	}
	if err := r.fill(whole); err != nil {
		return cutShort(err)
	}
	b := r.buf[r.from : r.from+whole]
	r.from += whole
	f.payload = b[headerSize : whole-crcSize : whole-crcSize]
	return verify(b[:whole-crcSize], b[whole-crcSize:])
}

// large reads a frame that does not fit into the inbox.
func (r *inbox) large(f *frame, whole int) error {
	b := make([]byte, whole)
	k := copy(b, r.buf[r.from:r.to])
	r.from += k
	if _, err := io.ReadFull(r.src, b[k:]); err != nil {
		return cutShort(err)
	}
	f.payload = b[headerSize : whole-crcSize : whole-crcSize]
	return verify(b[:whole-crcSize], b[whole-crcSize:])
}

func verify(b, crc []byte) error {
	if binary.BigEndian.Uint32(crc) != crc32.Checksum(b, crcTable) {
		return fmt.Errorf("%w: its checksum does not match", errDamaged)
	}
	return nil
}

// fill makes sure that at least n bytes are there, which must fit.
func (r *inbox) fill(n int) error {
	for r.to-r.from < n {
		if r.from == r.to {
			r.from, r.to = 0, 0
		} else if r.from+n > len(r.buf) {
			r.to = copy(r.buf, r.buf[r.from:r.to])
			r.from = 0
		}
		k, err := r.src.Read(r.buf[r.to:])
		r.to += k
		switch {
		case k > 0: // an error will come again
		case err == io.EOF && r.from < r.to:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

// keep returns the payload of the frame read last such that it stays.
func (r *inbox) keep(payload []byte) []byte {
	if len(payload)+overhead+4 > len(r.buf) {
		return payload // large made it
	}
	return bytes.Clone(payload)
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
