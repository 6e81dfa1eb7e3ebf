package snapfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hashicorp/raft"
)

const (
	magic   = "QSNP"
	version = 1

	preambleLen = 12
	trailerLen  = 16
	// maxMeta bounds the meta data; a configuration of 100 servers takes 20 KB.
	maxMeta = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorrupt: the file is not what was written.
var ErrCorrupt = errors.New("corrupt snapshot file; remove this replica's folder and let it join again as a new member")

// meta is what the file holds of raft.SnapshotMeta; the rest follows from it.
type meta struct {
	Index              uint64        `json:"index"`
	Term               uint64        `json:"term"`
	ConfigurationIndex uint64        `json:"configuration_index"`
	Servers            []raft.Server `json:"servers"`
}

func encodeHeader(m meta) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot meta data: %w", err)
	}
	b := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], version)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(text)))
	b = append(b, text...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// decodeHeader reads the header and returns its length too.
func decodeHeader(r io.Reader) (m meta, size int64, err error) {
	b := make([]byte, preambleLen)
	if _, err := io.ReadFull(r, b); err != nil {
		return m, 0, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	if string(b[:4]) != magic {
		return m, 0, fmt.Errorf("%w: it does not begin with %q", ErrCorrupt, magic)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != version {
		return m, 0, fmt.Errorf("snapshot file has version %d, this build reads version %d; run the build that wrote it or a newer one", v, version)
	}
	n := binary.LittleEndian.Uint32(b[8:])
	if n > maxMeta {
		return m, 0, fmt.Errorf("%w: %d bytes of meta data", ErrCorrupt, n)
	}
	b = append(b, make([]byte, n+4)...)
	if _, err := io.ReadFull(r, b[preambleLen:]); err != nil {
		return m, 0, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	end := len(b) - 4
	if crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return m, 0, fmt.Errorf("%w: checksum of the header", ErrCorrupt)
	}
	if err := json.Unmarshal(b[preambleLen:end], &m); err != nil {
		return m, 0, fmt.Errorf("%w: meta data: %w", ErrCorrupt, err)
	}
	return m, int64(len(b)), nil
}

func encodeTrailer(size int64, sum uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(size))
	b = binary.LittleEndian.AppendUint32(b, sum)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeTrailer checks the last bytes of a file whose data should be size bytes long, and returns the data's checksum.
func decodeTrailer(b []byte, size int64) (uint32, error) {
	if crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return 0, fmt.Errorf("%w: checksum of the trailer; the file may have been cut short", ErrCorrupt)
	}
	if n := binary.LittleEndian.Uint64(b); n != uint64(size) {
		return 0, fmt.Errorf("%w: %d bytes of data, the trailer says %d", ErrCorrupt, size, n)
	}
	return binary.LittleEndian.Uint32(b[8:]), nil
}
