package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/placement/sealed"
)

// The files in Config.Dir. Each is one JSON value with a checksum and is replaced as a whole.
const (
	recordFile = "record.json" // bootstrap.Record: which cluster this node is bound to
	mapFile    = "map.json"    // the newest topology.Map this node has seen
)

// fileVersion of both.
const fileVersion = 1

// save replaces a file by v.
func save(files Files, name string, v any) error {
	data, err := sealed.Seal(fileVersion, v)
	if err != nil {
		return fmt.Errorf("placement: save %s: %w", name, err)
	}
	if err := files.Replace(name, append(data, '\n')); err != nil {
		return fmt.Errorf("placement: save %s: %w", name, err)
	}
	return nil
}

// folder is a directory of the operating system.
type folder string

// Replace implements Files: it writes aside, syncs, renames and syncs the folder.
func (dir folder) Replace(name string, data []byte) error {
	aside := filepath.Join(string(dir), name+".tmp")
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
	if err := os.Rename(aside, filepath.Join(string(dir), name)); err != nil {
		return err
	}
	d, err := os.Open(string(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Load implements Files.
func (dir folder) Load(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(dir), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// load reads a file into v; found is false if there is none. A damaged file is an error: what a node has promised may
// not be guessed.
func load(files Files, name string, v any) (found bool, err error) {
	data, err := files.Load(name)
	if err != nil {
		return false, fmt.Errorf("placement: load %s: %w", name, err)
	}
	if data == nil {
		return false, nil
	}
	if err := sealed.Open(fileVersion, data, v); err != nil {
		return false, fmt.Errorf("placement: load %s: %w; restore the file from a copy made while the node was down, or empty the data folder and start as a new node",
			filepath.Join(fmt.Sprint(files), name), err)
	}
	return true, nil
}
