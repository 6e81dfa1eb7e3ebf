package entry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/command"
)

func genEntry(t *rapid.T) Entry {
	return Entry{
		Now: rapid.Int64().Draw(t, "now"), Batch: rapid.Uint64().Draw(t, "batch"),
		Ops: rapid.SliceOfN(rapid.Custom(genOp(true)), 0, 20).Draw(t, "ops"),
	}
}

func genOp(outer bool) func(t *rapid.T) Op {
	text := rapid.SliceOf(rapid.Byte())
	return func(t *rapid.T) Op {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		switch {
		case kind == 0 && outer:
			watch := rapid.Custom(func(t *rapid.T) Watch {
				return Watch{Key: text.Draw(t, "key"), Version: rapid.Uint64().Draw(t, "version")}
			})
			return exec(rapid.SliceOfN(watch, 0, 4).Draw(t, "watches"), rapid.SliceOfN(rapid.Custom(genOp(false)), 0, 5).Draw(t, "queued")...)
		case kind == 1 && outer:
			victim := rapid.Custom(func(t *rapid.T) Victim {
				return Victim{Key: text.Draw(t, "key"), Version: rapid.Uint64().Draw(t, "version")}
			})
			return Evict(rapid.SliceOfN(victim, 1, 5).Draw(t, "victims"))
		case kind == 2:
			return Op{Cmd: command.Get, Args: [][]byte{text.Draw(t, "key")}}
		case kind == 3:
			return Op{Cmd: command.Flushall, Args: [][]byte{}}
		}
		return Op{Cmd: command.Mset, Args: rapid.SliceOfN(text, 2, 9).Draw(t, "args")}
	}
}

// FuzzDecode checks that what decodes has one encoding, and that memory follows the input's size.
func FuzzDecode(f *testing.F) {
	for _, e := range samples {
		data, err := Encode(nil, &e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, m := range malformed {
		f.Add(signed(m.count, m.body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= headerAt && data[0] == magic && data[1] == version {
			binary.LittleEndian.PutUint32(data[crcAt:], checksum(data)) // else the fuzzer sees only this check
		}
		var e Entry
		if err := Decode(data, &e); err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("unclassified error: %v", err)
			}
			return
		}
		if size := footprint(e.Ops); size > 64*len(data) {
			t.Fatalf("%d bytes of input took %d bytes", len(data), size)
		}
		again, err := Encode(nil, &e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("two encodings of one entry:\n%x\n%x", data, again)
		}
	})
}

// footprint estimates the memory of decoded ops, arguments not included, as they alias the input.
func footprint(ops []Op) int {
	size := cap(ops) * int(reflect.TypeFor[Op]().Size())
	for _, o := range ops {
		size += cap(o.Args) * int(reflect.TypeFor[[]byte]().Size())
		if o.Tx != nil {
			size += cap(o.Tx.Watches)*int(reflect.TypeFor[Watch]().Size()) + footprint(o.Tx.Ops)
		}
	}
	return size
}
