package entry

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/quorate/quorate/fsm/command"
)

const (
	magic   = 'Q'
	version = 1

	crcAt    = 2
	nowAt    = 6
	batchAt  = 14
	countAt  = 22
	headerAt = 26 // where the header ends
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers everything but itself.
func checksum(data []byte) uint32 {
	return crc32.Update(crc32.Checksum(data[:crcAt], castagnoli), castagnoli, data[nowAt:])
}

// Encoder builds one entry op by op: Reset, AppendOp…, Finish. It allocates only to grow Buf.
type Encoder struct {
	// Buf holds the entry so far. Raft keeps the bytes of an entry, so a caller that proposed them gives the
	// encoder another Buf (or nil) before the next Reset.
	Buf []byte
	ops uint32
}

// Reset starts an entry in Buf[:0].
func (e *Encoder) Reset(now int64, batch uint64) {
	e.Buf = append(e.Buf[:0], magic, version, 0, 0, 0, 0)
	e.Buf = binary.LittleEndian.AppendUint64(e.Buf, uint64(now))
	e.Buf = binary.LittleEndian.AppendUint64(e.Buf, batch)
	e.Buf = binary.LittleEndian.AppendUint32(e.Buf, 0)
	e.ops = 0
}

// Len returns the bytes of the entry so far.
func (e *Encoder) Len() int { return len(e.Buf) }

// Ops returns the number of ops so far.
func (e *Encoder) Ops() int { return int(e.ops) }

// AppendOp adds an op. After an error (ErrInvalid, ErrTooLarge) the entry is as it was before.
func (e *Encoder) AppendOp(op *Op) error {
	before := len(e.Buf)
	err := e.op(op, false)
	if err == nil && len(e.Buf) > MaxBytes {
		err = fmt.Errorf("%w: the entry would have %d bytes, at most %d are allowed", ErrTooLarge, len(e.Buf), MaxBytes)
	}
	if err != nil {
		e.Buf = e.Buf[:before]
		return fmt.Errorf("encode %v: %w", op.Cmd, err)
	}
	e.ops++
	return nil
}

// Finish completes the entry and returns it. The bytes are Buf's.
func (e *Encoder) Finish() []byte {
	binary.LittleEndian.PutUint32(e.Buf[countAt:], e.ops)
	binary.LittleEndian.PutUint32(e.Buf[crcAt:], checksum(e.Buf))
	return e.Buf
}

// Encode writes a whole entry into buf[:0] and returns it; AppendOp says which errors there are.
func Encode(buf []byte, whole *Entry) ([]byte, error) {
	e := Encoder{Buf: buf}
	e.Reset(whole.Now, whole.Batch)
	for i := range whole.Ops {
		if err := e.AppendOp(&whole.Ops[i]); err != nil {
			return nil, err
		}
	}
	return e.Finish(), nil
}

func (e *Encoder) op(op *Op, nested bool) error {
	if err := executable(op.Cmd, len(op.Args), nested); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if (op.Tx != nil) != (op.Cmd == command.Exec) {
		return fmt.Errorf("%w: EXEC has a transaction and nothing else has", ErrInvalid)
	}
	if err := checkInternal(op); err != nil {
		return err
	}
	if len(op.Args) > MaxArgs {
		return fmt.Errorf("%w: %d arguments, at most %d are allowed", ErrTooLarge, len(op.Args), MaxArgs)
	}
	e.uvarint(uint64(op.Cmd))
	e.uvarint(uint64(len(op.Args)))
	for _, arg := range op.Args {
		if err := e.bytes(arg); err != nil {
			return err
		}
	}
	if op.Tx != nil {
		return e.tx(op.Tx)
	}
	return nil
}

func (e *Encoder) tx(tx *Tx) error {
	if len(tx.Watches) > MaxWatches {
		return fmt.Errorf("%w: %d watched keys, at most %d are allowed", ErrTooLarge, len(tx.Watches), MaxWatches)
	}
	e.uvarint(uint64(len(tx.Watches)))
	for _, w := range tx.Watches {
		if err := e.bytes(w.Key); err != nil {
			return err
		}
		e.uvarint(w.Version)
	}
	e.uvarint(uint64(len(tx.Ops)))
	for i := range tx.Ops {
		if err := e.op(&tx.Ops[i], true); err != nil {
			return fmt.Errorf("queued command %d (%v): %w", i, tx.Ops[i].Cmd, err)
		}
	}
	return nil
}

func (e *Encoder) bytes(b []byte) error {
	if len(e.Buf)+len(b) > MaxBytes {
		return fmt.Errorf("%w: an argument of %d bytes after %d in the entry, which holds at most %d", ErrTooLarge, len(b), len(e.Buf), MaxBytes)
	}
	e.uvarint(uint64(len(b)))
	e.Buf = append(e.Buf, b...)
	return nil
}

func (e *Encoder) uvarint(n uint64) { e.Buf = binary.AppendUvarint(e.Buf, n) }

// executable says why a machine could not execute a command, if so. Encoder and decoder share it.
func executable(id command.ID, args int, nested bool) error {
	s := command.ByID(id)
	switch {
	case s == nil:
		return fmt.Errorf("no command has id %d; a newer version may", id)
	case !s.ArityOK(args):
		return fmt.Errorf("%s with %d arguments", s.Name, args)
	case nested && (id == command.Exec || s.Home == command.Internal):
		return fmt.Errorf("%s inside a transaction", s.Name)
	}
	return nil
}
