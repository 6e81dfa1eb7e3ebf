package sealed

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"testing"
)

type thing struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

var sample = thing{"a <thing> & more", 7}

func TestRoundTrip(t *testing.T) {
	data, err := Seal(3, sample)
	if err != nil {
		t.Fatal(err)
	}
	var back thing
	if err := Open(3, data, &back); err != nil || back != sample {
		t.Fatalf("%s became %+v, %v", data, back, err)
	}
	if err := Open(4, data, &back); err == nil {
		t.Fatal("another version was read")
	}
}

func TestDamageIsNoticed(t *testing.T) {
	good, err := Seal(3, sample)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			var back thing
			if err := Open(3, bad, &back); err == nil && back != sample {
				t.Fatalf("%s was read as %+v", bad, back)
			}
		}
		if err := Open(3, good[:i], &thing{}); err == nil {
			t.Fatalf("%s was read", good[:i])
		}
	}
}

func TestDecodeRefusesWhatItWouldIgnore(t *testing.T) {
	for name, data := range map[string]string{
		"an unknown field": `{"name":"x","n":1,"more":2}`,
		"a tail":           `{"name":"x"}{}`,
		"a wrong type":     `{"n":"x"}`,
		"nothing":          ``,
	} {
		if err := Decode([]byte(data), &thing{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	good, err := Seal(1, sample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"name":"x","n":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v thing
		_ = Open(1, data, &v)
		// The same bytes under a right checksum.
		if e, err := json.Marshal(envelope{Version: 1, CRC: crc32.Checksum(data, castagnoli), Body: data}); err == nil {
			_ = Open(1, e, &v)
		}
	})
}
