package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// The files in Config.Dir. Each is one JSON value with a checksum and is replaced as a whole.
const (
	recordFile = "record.json" // bootstrap.Record: which cluster this node is bound to
	mapFile    = "map.json"    // the newest topology.Map this node has seen
)

// sealed is a file's content: the checksum covers Body's bytes as they stand.
type sealed struct {
	Version int             `json:"v"`
	CRC     uint32          `json:"crc32c"`
	Body    json.RawMessage `json:"body"`
}

const fileVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// save replaces the file name in dir by v. After it returns nil the new content survives a power cut; on an error the
// old one does.
func save(dir, name string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("placement: save %s: %w", name, err)
	}
	data, err := json.Marshal(sealed{Version: fileVersion, CRC: crc32.Checksum(body, castagnoli), Body: body})
	if err != nil {
		return fmt.Errorf("placement: save %s: %w", name, err)
	}
	if err := replace(dir, name, append(data, '\n')); err != nil {
		return fmt.Errorf("placement: save %s: %w", name, err)
	}
	return nil
}

// replace writes aside, syncs, renames and syncs the folder.
func replace(dir, name string, data []byte) error {
	aside := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// load reads the file name in dir into v; found is false if there is none. A damaged file is an error: what a node
// has promised may not be guessed.
func load(dir, name string, v any) (found bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = unseal(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("placement: load %s: %w", filepath.Join(dir, name), err)
	}
	return true, nil
}

func unseal(data []byte, v any) error {
	var s sealed
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if s.Version != fileVersion {
		return fmt.Errorf("version %d: this build reads version %d; upgrade it", s.Version, fileVersion)
	}
	if sum := crc32.Checksum(s.Body, castagnoli); sum != s.CRC {
		return fmt.Errorf("damaged: checksum %08x, want %08x", sum, s.CRC)
	}
	return json.Unmarshal(s.Body, v)
}
