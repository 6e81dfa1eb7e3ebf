// Package sealed is how placement writes what it reads back later: strict JSON, and JSON under a version and a checksum.
package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// envelope is the outer form. The checksum covers Body's bytes as they stand.
type envelope struct {
	Version int             `json:"v"`
	CRC     uint32          `json:"crc32c"`
	Body    json.RawMessage `json:"body"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal encodes v under a version and a checksum.
func Seal(version int, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{Version: version, CRC: crc32.Checksum(body, castagnoli), Body: body})
}

// Open decodes what Seal wrote into v: the same version, undamaged, and nothing that v has no place for.
func Open(version int, data []byte, v any) error {
	var e envelope
	if err := Decode(data, &e); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if e.Version != version {
		return fmt.Errorf("version %d: this build reads version %d; upgrade it", e.Version, version)
	}
	if sum := crc32.Checksum(e.Body, castagnoli); sum != e.CRC {
		return fmt.Errorf("damaged: checksum %08x, want %08x", sum, e.CRC)
	}
	return Decode(e.Body, v)
}

// Decode reads exactly one JSON value and refuses what it would have to ignore: unknown fields and trailing bytes.
func Decode(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the end")
	}
	return nil
}
