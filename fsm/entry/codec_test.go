package entry

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/command"
)

var update = flag.Bool("update", false, "write testdata/*.hex anew; a changed byte means that old logs cannot be read")

func op(id command.ID, args ...string) Op {
	o := Op{Cmd: id, Args: make([][]byte, len(args))}
	for i, a := range args {
		o.Args[i] = []byte(a)
	}
	return o
}

func exec(watches []Watch, ops ...Op) Op {
	return Op{Cmd: command.Exec, Args: [][]byte{}, Tx: &Tx{Watches: watches, Ops: ops}}
}

// samples are the entries of testdata, one file each.
var samples = map[string]Entry{
	"empty":  {},
	"clock":  {Now: 1_700_000_000_000},
	"writes": {Now: 1_700_000_000_001, Batch: 7, Ops: []Op{op(command.Set, "key", "value", "EX", "10"), op(command.Del, "a", ""), op(command.Flushall)}},
	"binary": {Now: -1, Batch: math.MaxUint64, Ops: []Op{op(command.Set, "\x00\r\n\xff", strings.Repeat("v", 200))}},
	"transaction": {Now: 5, Batch: 9, Ops: []Op{
		exec([]Watch{{Key: []byte("w"), Version: 300}, {Key: []byte("absent")}}, op(command.Incr, "w"), op(command.Get, "w")),
		exec(nil),
	}},
	"internal": {Now: 6, Ops: []Op{
		Limit(Limits{MaxMemory: 1 << 30, Policy: VolatileTTL, Samples: 5}),
		Evict([]Victim{{Key: []byte("k1"), Version: 1}, {Key: []byte("k2"), Version: math.MaxUint64}}),
	}},
}

func TestFormatDoesNotChange(t *testing.T) {
	for name, e := range samples {
		path := "testdata/" + name + ".hex"
		got := hex.Dump(encode(t, &e))
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is encoded otherwise than logs on disk: a new format needs a new version\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestSamplesRoundTrip(t *testing.T) {
	var into Entry // reused: nothing may be left over from the entry before
	for range 3 {
		for name, e := range samples {
			if err := Decode(encode(t, &e), &into); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !equal(&into, &e) {
				t.Errorf("%s: got %+v, want %+v", name, into, e)
			}
		}
	}
}

func TestRandomEntriesRoundTrip(t *testing.T) {
	var into Entry
	rapid.Check(t, func(t *rapid.T) {
		e := genEntry(t)
		data, err := Encode(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(data, &into); err != nil {
			t.Fatal(err)
		}
		if !equal(&into, &e) {
			t.Fatalf("got %+v, want %+v", into, e)
		}
	})
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	for name, e := range samples {
		data := encode(t, &e)
		for bit := range 8 * len(data) {
			data[bit/8] ^= 1 << (bit % 8)
			err := Decode(data, &Entry{})
			data[bit/8] ^= 1 << (bit % 8)
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("%s: bit %d flipped: %v", name, bit, err)
			}
		}
		for n := range data {
			if err := Decode(data[:n:n], &Entry{}); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
		if err := Decode(append(data, 0), &Entry{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a byte too much: %v", name, err)
		}
	}
}

// malformed are bodies under a correct checksum: what a bug or an attacker writes, not what a disk does.
var malformed = map[string]struct {
	count uint32
	body  []byte
	says  string
}{
	"fewer ops than announced":    {2, []byte{34, 1, 1, 'k'}, "ends within a number"},
	"bytes after the last op":     {0, []byte{0}, "1 bytes after the last op"},
	"four billion ops":            {math.MaxUint32, []byte{34, 1, 1, 'k'}, "ops announced"},
	"more arguments than bytes":   {1, []byte{34, 0x80, 0x80, 0x40, 0}, "1048576 arguments announced"},
	"a huge argument":             {1, []byte{34, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}, "bytes announced"},
	"an endless number":           {1, bytes.Repeat([]byte{0xff}, 20), "too long"},
	"a number with leading zeros": {1, []byte{34, 1, 0x81, 0, 'k'}, "too long"},
	"a number cut short":          {2, []byte{34, 1, 1, 'k', 0x80}, "ends within a number"},
	"no room for the argument":    {1, []byte{34, 1}, "1 arguments announced"},
	"an id beyond 16 bits":        {1, []byte{0xff, 0xff, 0x7f, 0}, "command id 2097151"},
	"id 0":                        {1, []byte{0, 0}, "no command has id 0; a newer version may"},
	"an unknown id":               {1, []byte{127, 0}, "no command has id 127; a newer version may"},
	"wrong arity":                 {1, []byte{32, 0}, "get with 0 arguments"},
	"EXEC inside EXEC":            {1, []byte{78, 0, 0, 1, 78, 0, 0, 0}, "exec inside a transaction"},
	"eviction inside EXEC":        {1, []byte{78, 0, 0, 1, 1, 2, 0, 0}, "evict inside a transaction"},
	"EXEC without transaction":    {1, []byte{78, 0}, "ends within a number"},
	"eviction of half a pair":     {1, []byte{1, 3, 0, 0, 0}, "no list of keys and versions"},
	"eviction of a short version": {1, []byte{1, 2, 0, 1, 9}, "1 bytes instead of 8"},
	"limit with unknown policy":   {1, []byte{2, 3, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 4, 5, 0, 0, 0}, "policy 8 is unknown"},
	"limit with no samples":       {1, []byte{2, 3, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0}, "0 samples"},
	"limit with short numbers":    {1, []byte{2, 3, 0, 0, 0}, "no memory limit"},
}

// signed gives a body a header with a correct checksum.
func signed(count uint32, body []byte) []byte {
	var e Encoder
	e.Reset(0, 0)
	e.Buf = append(e.Buf, body...)
	e.ops = count
	return e.Finish()
}

func TestMalformedEntries(t *testing.T) {
	for name, m := range malformed {
		err := Decode(signed(m.count, m.body), &Entry{})
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), m.says) {
			t.Errorf("%s: got %v, want it to say %q", name, err, m.says)
		}
	}
}

func TestUnknownVersionNamesBoth(t *testing.T) {
	e := samples["writes"]
	data := encode(t, &e)
	data[1] = 2
	err := Decode(data, &Entry{})
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 2, this build reads version 1") {
		t.Error(err)
	}
}

func TestDecodedArgumentsAliasTheInput(t *testing.T) {
	e := samples["writes"]
	data := encode(t, &e)
	var into Entry
	if err := Decode(data, &into); err != nil {
		t.Fatal(err)
	}
	key := into.Ops[0].Args[0]
	if cap(key) != len(key) {
		t.Error("appending to an argument would overwrite the next")
	}
	clear(data)
	if !bytes.Equal(key, []byte{0, 0, 0}) {
		t.Errorf("the key was copied: %q", key)
	}
}

func TestEncoderRefuses(t *testing.T) {
	huge := make([]byte, MaxBytes)
	for name, c := range map[string]struct {
		op   Op
		want error
	}{
		"an unknown command":           {op(127, "k"), ErrInvalid},
		"wrong arity":                  {op(command.Get), ErrInvalid},
		"EXEC without a transaction":   {op(command.Exec), ErrInvalid},
		"a transaction on another":     {Op{Cmd: command.Get, Args: [][]byte{{'k'}}, Tx: &Tx{}}, ErrInvalid},
		"EXEC inside EXEC":             {exec(nil, exec(nil)), ErrInvalid},
		"eviction inside EXEC":         {exec(nil, Evict([]Victim{{}})), ErrInvalid},
		"wrong arity inside EXEC":      {exec(nil, op(command.Get, "k"), op(command.Get)), ErrInvalid},
		"an eviction without versions": {op(command.Evict, "k", "short"), ErrInvalid},
		"an eviction of nothing":       {Evict(nil), ErrInvalid},
		"a limit without samples":      {Limit(Limits{}), ErrInvalid},
		"a value beyond an entry":      {Op{Cmd: command.Set, Args: [][]byte{{'k'}, huge}}, ErrTooLarge},
		"too many arguments":           {Op{Cmd: command.Del, Args: make([][]byte, MaxArgs+1)}, ErrTooLarge},
		"too many watches":             {exec(make([]Watch, MaxWatches+1)), ErrTooLarge},
	} {
		var e Encoder
		e.Reset(1, 2)
		good := op(command.Incr, "n")
		if err := e.AppendOp(&good); err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(e.Buf)
		if err := e.AppendOp(&c.op); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if !bytes.Equal(e.Buf, before) || e.Ops() != 1 || e.Len() != len(before) {
			t.Errorf("%s: the refused op left %d bytes", name, len(e.Buf)-len(before))
		}
		if err := Decode(e.Finish(), &Entry{}); err != nil {
			t.Errorf("%s: what was left is broken: %v", name, err)
		}
	}
}

func TestCodecDoesNotAllocate(t *testing.T) {
	ops := samples["writes"].Ops
	tx := samples["transaction"].Ops
	var e Encoder
	var into Entry
	run := func() {
		e.Reset(1, 2)
		for _, list := range [][]Op{ops, tx} {
			for i := range list {
				if err := e.AppendOp(&list[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := Decode(e.Finish(), &into); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func encode(t *testing.T, e *Entry) []byte {
	t.Helper()
	data, err := Encode(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// equal compares entries; nil and empty slices are the same.
func equal(a, b *Entry) bool {
	return a.Now == b.Now && a.Batch == b.Batch && equalOps(a.Ops, b.Ops)
}

func equalOps(a, b []Op) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		same := a[i].Cmd == b[i].Cmd && len(a[i].Args) == len(b[i].Args) && (a[i].Tx == nil) == (b[i].Tx == nil)
		for j := 0; same && j < len(a[i].Args); j++ {
			same = bytes.Equal(a[i].Args[j], b[i].Args[j])
		}
		if !same || a[i].Tx != nil && !equalTx(a[i].Tx, b[i].Tx) {
			return false
		}
	}
	return true
}

func equalTx(a, b *Tx) bool {
	return len(a.Watches) == len(b.Watches) && equalOps(a.Ops, b.Ops) &&
		(len(a.Watches) == 0 || reflect.DeepEqual(a.Watches, b.Watches))
}

// Earlier versions have logged entries that are not encoded any more.
func TestLargerEntriesOfEarlierVersionsDecode(t *testing.T) {
	value := make([]byte, MaxBytes+1)
	body := append([]byte{byte(command.Set), 2, 1, 'k'}, binary.AppendUvarint(nil, uint64(len(value)))...)
	var into Entry
	if err := Decode(signed(1, append(body, value...)), &into); err != nil {
		t.Fatal(err)
	}
	if got := into.Ops[0].Args[1]; len(got) != len(value) {
		t.Errorf("the value has %d bytes, want %d", len(got), len(value))
	}
}

func TestSizeBoundsTheEncoding(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		op := genOp(true)(rt)
		if op.Tx != nil {
			op.Tx.Watches = append(op.Tx.Watches, Watch{Version: math.MaxUint64})
		}
		var e Encoder
		e.Reset(1, 2)
		if err := e.AppendOp(&op); err != nil {
			rt.Skip()
		}
		if took, size := e.Len()-headerAt, op.Size(); took > size {
			rt.Fatalf("%d bytes, the size is said to be %d", took, size)
		}
	})
}
