package raftnet

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// reader takes a frame apart. After the first error every method returns zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	if r.err != nil {
		r.b = nil
	}
}

// end returns the first error, naming what was decoded; bytes left over are an error too.
func (r *reader) end(what string) error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return fmt.Errorf("decode %s: %w", what, r.err)
	}
	return nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errTruncated)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) version() {
	if v := r.byte(); r.err == nil && v != codecVersion {
		r.fail(fmt.Errorf("version %d of the Raft frames is not known, only %d: upgrade the older node", v, codecVersion))
	}
}

func (r *reader) flags() byte {
	r.version()
	return r.byte()
}

// header reads the start of a request and fills in the sender, whose ID is its address too.
func (r *reader) header(id []byte) raft.RPCHeader {
	r.version()
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersion(r.byte()), ID: id, Addr: id}
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) time() time.Time {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return time.Time{}
	}
	r.b = r.b[n:]
	if v == 0 {
		return time.Time{}
	}
	return time.Unix(0, v)
}

// bytes returns a slice of the frame, nil if it is empty.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail(errTruncated)
	}
	if r.err != nil || n == 0 {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
