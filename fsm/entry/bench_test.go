package entry

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/command"
)

func benchmarkEntry() Entry {
	e := Entry{Now: 1, Batch: 2}
	for range 100 {
		e.Ops = append(e.Ops, op(command.Set, "key:000000012345", strings.Repeat("v", 64)))
	}
	return e
}

func BenchmarkEncode100Sets(b *testing.B) {
	e := benchmarkEntry()
	var enc Encoder
	b.ReportAllocs()
	for b.Loop() {
		enc.Reset(e.Now, e.Batch)
		for i := range e.Ops {
			if err := enc.AppendOp(&e.Ops[i]); err != nil {
				b.Fatal(err)
			}
		}
		enc.Finish()
	}
	b.SetBytes(int64(enc.Len()))
}

func BenchmarkDecode100Sets(b *testing.B) {
	e := benchmarkEntry()
	data, err := Encode(nil, &e)
	if err != nil {
		b.Fatal(err)
	}
	var into Entry
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(data, &into); err != nil {
			b.Fatal(err)
		}
	}
}
