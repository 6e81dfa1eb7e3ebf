package entry

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/quorate/quorate/fsm/command"
)

// Decode reads an entry into into, whose slices it reuses. Arguments and watched keys alias data. An error wraps
// ErrCorrupt or ErrVersion; into then holds nothing of use. Memory is bounded by a multiple of len(data), whatever
// the bytes claim.
func Decode(data []byte, into *Entry) error {
	if err := checkHeader(data); err != nil {
		return fmt.Errorf("decode entry of %d bytes: %w", len(data), err)
	}
	into.Now = int64(binary.LittleEndian.Uint64(data[nowAt:]))
	into.Batch = binary.LittleEndian.Uint64(data[batchAt:])
	r := reader{data: data, at: headerAt}
	count := uint64(binary.LittleEndian.Uint32(data[countAt:]))
	into.Ops = r.ops(into.Ops, count, false)
	if r.err == nil && r.at != len(data) {
		r.fail("%d bytes after the last op", len(data)-r.at)
	}
	if r.err != nil {
		return fmt.Errorf("decode entry of %d bytes: %w", len(data), r.err)
	}
	return nil
}

func checkHeader(data []byte) error {
	switch {
	case len(data) < 2 || data[0] != magic:
		return fmt.Errorf("%w: it does not start with %q", ErrCorrupt, magic)
	case data[1] != version:
		return fmt.Errorf("%w: it has version %d, this build reads version %d; run the build that wrote it or a newer one",
			ErrVersion, data[1], version)
	case len(data) < headerAt:
		return fmt.Errorf("%w: the header takes %d bytes", ErrCorrupt, headerAt)
	case len(data) > maxDecoded:
		return fmt.Errorf("%w: at most %d bytes are allowed", ErrCorrupt, maxDecoded)
	}
	if want, got := binary.LittleEndian.Uint32(data[crcAt:]), checksum(data); got != want {
		return fmt.Errorf("%w: checksum %08x, the header says %08x", ErrCorrupt, got, want)
	}
	return nil
}

// reader walks over data. After the first error it reads nothing but zeros and keeps that error.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %w", ErrCorrupt, r.at, fmt.Errorf(format, args...))
	}
}

func (r *reader) left() int { return len(r.data) - r.at }

// The fewest bytes that one of these takes; counts are checked against them before anything is allocated.
const (
	leastArg   = 1 // its length
	leastWatch = 2 // its length, the version
	leastOp    = 2 // the id, the number of arguments
)

// count checks that n elements of at least least bytes can follow, and that they are at most limit.
func (r *reader) count(n uint64, least, limit int, what string) int {
	if n > uint64(r.left()/least) || n > uint64(limit) {
		r.fail("%d %s announced, %d bytes left, at most %d are allowed", n, what, r.left(), limit)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) ops(into []Op, announced uint64, nested bool) []Op {
	n := r.count(announced, leastOp, maxDecoded, "ops")
	into = slices.Grow(into[:0], n)[:n]
	for i := range into {
		if r.op(&into[i], nested); r.err != nil {
			return nil
		}
	}
	return into
}

func (r *reader) op(op *Op, nested bool) {
	id := r.uvarint()
	n := r.count(r.uvarint(), leastArg, MaxArgs, "arguments")
	if r.err != nil {
		return
	}
	if id > math.MaxUint16 {
		r.fail("command id %d", id)
		return
	}
	op.Cmd = command.ID(id)
	if err := executable(op.Cmd, n, nested); err != nil {
		r.fail("%w", err)
		return
	}
	op.Args = slices.Grow(op.Args[:0], n)[:n]
	for i := range op.Args {
		op.Args[i] = r.bytes()
	}
	if err := checkInternal(op); err != nil {
		r.fail("%w", err)
		return
	}
	if op.Cmd != command.Exec {
		op.Tx = nil
		return
	}
	if op.Tx == nil {
		op.Tx = &Tx{}
	}
	r.tx(op.Tx)
}

func (r *reader) tx(tx *Tx) {
	n := r.count(r.uvarint(), leastWatch, MaxWatches, "watched keys")
	tx.Watches = slices.Grow(tx.Watches[:0], n)[:n]
	for i := range tx.Watches {
		tx.Watches[i] = Watch{Key: r.bytes(), Version: r.uvarint()}
	}
	tx.Ops = r.ops(tx.Ops, r.uvarint(), true)
}

func (r *reader) bytes() []byte {
	n := r.count(r.uvarint(), 1, maxDecodedArg, "bytes")
	b := r.data[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

func (r *reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.data[r.at:])
	switch {
	case n == 0:
		r.fail("the entry ends within a number")
		return 0
	case n < 0 || n > 1 && r.data[r.at+n-1] == 0:
		r.fail("a number that is too long")
		return 0
	}
	r.at += n
	return v
}
