package table

import (
	"bytes"
	"fmt"
	"testing"
)

// FuzzOps runs a program of operations, one byte for what to do, two for the key and size, against the map.
func FuzzOps(f *testing.F) {
	f.Add([]byte("0aa0bb0cc1aa5  2bb6  0bz3az4cc7  "))
	f.Add(bytes.Repeat([]byte{0, 1, 250, 5, 0, 0, 2, 1, 9, 3, 1, 255, 6, 0, 0}, 20))
	f.Fuzz(func(t *testing.T, program []byte) {
		m := newModel(uint64(len(program)))
		program = program[:min(len(program), 300)] // the layout is checked after each operation: long programs are slow
		for ; len(program) >= 3; program = program[3:] {
			m.run(t, program[0], program[1], program[2])
		}
		m.check(t)
	})
}

// run executes one operation of a fuzzed program.
func (m *model) run(t *testing.T, what, name, arg byte) {
	key, size := fmt.Sprint(name), int(arg)
	if name >= 0xf0 {
		key, size = fmt.Sprintf("%0*d", 300*int(name&15), name), size*40
	}
	switch what % 8 {
	case 0:
		m.put(t, Record{Key: []byte(key), Value: bytes.Repeat([]byte{arg}, size), Kind: arg % 32, Version: m.next(), Deadline: int64(arg % 5)})
	case 1:
		m.delete(t, key)
	case 2:
		m.setDeadline(t, key, int64(arg%7))
	case 3:
		m.resize(t, key, size, what)
	case 4:
		m.drain(t, int64(arg%7), size%16)
	case 5:
		if len(m.views) < 4 {
			m.mark(t)
		}
	case 6:
		if n := len(m.views); n > 0 {
			m.release(t, size%n)
		}
	case 7:
		value := make([]byte, size*int(name)/32)
		for i := range size % 64 {
			m.t.Put(Record{Key: fmt.Append(nil, "many", name, i), Value: value})
			m.keys[fmt.Sprint("many", name, i)] = stored{value: string(value)}
		}
	}
}
