package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"
)

// The blocks of a large file go in pieces.
func TestShrink(t *testing.T) {
	f := openAny(t)
	for size, want := range map[int64]int64{0: 0, removeBytes: removeBytes, 10*removeBytes + 5: 5, 3 * removeSteps * removeBytes: 3 * removeBytes} {
		must(t, f.Truncate(size))
		pieces := 0
		shrink(f, func() { pieces++ })
		info, err := f.Stat()
		must(t, err)
		if info.Size() != want || int64(pieces) != (size-want)/max(removeBytes, size/removeSteps) {
			t.Errorf("of %d bytes, %d are left after %d pieces, want %d", size, info.Size(), pieces, want)
		}
	}
}

// Whoever reads a file that is removed reads on.
func TestRemoveBesideAReader(t *testing.T) {
	d := Dir(t.TempDir())
	want := bytes.Repeat([]byte("0123456789abcdef"), 3*removeBytes/16)
	must(t, os.WriteFile(d.join("file"), want, 0o600))
	reader, err := d.Open("file")
	must(t, err)
	must(t, d.Remove("file"))
	got := make([]byte, len(want))
	if _, err := reader.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the reader got something else, %v", err)
	}
	must(t, reader.Close())
	if err := d.Remove("file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed once more: %v", err)
	}
}

func TestAlone(t *testing.T) {
	f := openAny(t)
	if !alone(f) {
		t.Skip("this file system knows no leases")
	}
	for _, flag := range []int{os.O_RDONLY, os.O_RDWR} {
		other, err := os.OpenFile(f.Name(), flag, 0)
		must(t, err)
		if alone(f) {
			t.Errorf("alone beside a file that is open with %#x", flag)
		}
		must(t, other.Close())
	}
	if !alone(f) {
		t.Error("not alone after the others are closed")
	}
}
