package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// texts takes a handshake message apart. After the first error every method returns zero values.
type texts struct {
	b   []byte
	err error
}

func appendTexts(b []byte, ss ...string) []byte {
	for _, s := range ss {
		s = s[:min(len(s), maxText)]
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	return b
}

func (r *texts) take(k int) []byte {
	if r.err == nil && k > len(r.b) {
		r.err = errors.New("handshake message is cut short")
	}
	if r.err != nil {
		return make([]byte, k)
	}
	v := r.b[:k]
	r.b = r.b[k:]
	return v
}

func (r *texts) magic() {
	if string(r.take(len(magic))) != magic && r.err == nil {
		r.err = errors.New("the other side is not a quorate peer port")
	}
}

func (r *texts) byte() byte       { return r.take(1)[0] }
func (r *texts) uint16() uint16   { return binary.BigEndian.Uint16(r.take(2)) }
func (r *texts) array(dst []byte) { copy(dst, r.take(len(dst))) }

func (r *texts) text(limit int) string {
	k := int(r.uint16())
	if k > limit && r.err == nil {
		r.err = fmt.Errorf("text of %d bytes in a handshake, at most %d are allowed", k, limit)
	}
	if r.err != nil {
		return ""
	}
	s := string(r.take(k))
	if r.err == nil && !utf8.ValidString(s) {
		r.err = errors.New("text in a handshake is not UTF-8")
	}
	return s
}

func (r *texts) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("handshake message has %d bytes too many", len(r.b))
	}
	return r.err
}
