package peer

import (
	"bufio"
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

var errCRC = errors.New("checksum of the frame does not match: the connection has damaged it")

// readFrame reads one frame into f; its payload is newly allocated. At the clean end of the stream it returns io.EOF.
func readFrame(r *bufio.Reader, limit int, f *frame) error {
	head, err := r.Peek(headerSize)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	length := binary.BigEndian.Uint32(head)
	if length < overhead || length > uint32(min(limit+overhead, math.MaxUint32)) {
		return fmt.Errorf("frame of %d bytes is over the limit of %d", length, limit)
	}
	f.op, f.kind = head[4], head[5]
	if f.op == 0 || f.op >= opEnd || head[6] != 0 || head[7] != 0 {
		return fmt.Errorf("frame with operation %d is not known", f.op)
	}
	f.group = slot.GroupID(binary.BigEndian.Uint32(head[8:]))
	f.timeout = time.Duration(binary.BigEndian.Uint32(head[12:])) * time.Millisecond
	f.id = binary.BigEndian.Uint64(head[16:])
	sum := crc32.Checksum(head, crcTable)
	if _, err := r.Discard(headerSize); err != nil {
		return err
	}
	return readPayload(r, f, int(length-overhead), sum)
}

func readPayload(r *bufio.Reader, f *frame, size int, sum uint32) error {
	f.payload = make([]byte, size)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return cutShort(err)
	}
	tail, err := r.Peek(crcSize)
	if err != nil {
		return cutShort(err)
	}
	if binary.BigEndian.Uint32(tail) != crc32.Update(sum, crcTable, f.payload) {
		return errCRC
	}
	_, err = r.Discard(crcSize)
	return err
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
