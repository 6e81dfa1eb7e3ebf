package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/quorate/quorate/fsm/slot"
)

// Reads touch keys on the leader only. So that a follower that becomes leader does not evict blindly, the leader's
// machine keeps a random sample of the uses since the last Sketch, and followers merge it. Each use is as likely to be in
// it as any other, so keys that are used often are in it often.
const (
	// useSample is one in how many uses are noted.
	useSample = 32
	// maxUses and maxUseKey bound the sketch to 1 + 1000 * (4 + 1 + 60) bytes, under 64 KiB. Longer keys are not noted.
	maxUses       = 1000
	maxUseKey     = 60
	sketchVersion = 1
	useHead       = 4 + 1
)

// useLog is the sample, a ring: behind maxUses the oldest are overwritten.
type useLog struct {
	mu    sync.Mutex
	uses  []use
	noted int
}

type use struct {
	word uint32
	n    uint8
	key  [maxUseKey]byte
}

// note keeps a use unless another goroutine is keeping one: a reader never waits for statistics.
func (l *useLog) note(key []byte, word uint32) {
	if len(key) > maxUseKey || !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	if l.uses == nil {
		l.uses = make([]use, maxUses)
	}
	u := &l.uses[l.noted%maxUses]
	u.word, u.n = word, uint8(copy(u.key[:], key))
	l.noted++
}

// Sketch returns a sample of the uses of keys since the last call, at most 64 KiB, for MergeSketch on followers. Nil if
// there were none. Any goroutine may ask.
func (m *Machine) Sketch() []byte {
	l := &m.uses
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noted == 0 {
		return nil
	}
	b := []byte{sketchVersion<<1 | m.wordKind()}
	for _, u := range l.uses[:min(l.noted, maxUses)] {
		b = binary.LittleEndian.AppendUint32(b, u.word)
		b = append(b, u.n)
		b = append(b, u.key[:u.n]...)
	}
	l.noted = 0
	return b
}

// wordKind tells access words that count from those that hold times.
func (m *Machine) wordKind() byte {
	if frequency(m.Limits().Policy) {
		return 1
	}
	return 0
}

var errSketch = errors.New("not a sketch of uses that this version reads")

// MergeSketch raises the access statistics of keys to a leader's. It changes nothing that is replicated, and nothing at
// all on an error or if the leader had another kind of policy. Any goroutine may call it.
func (m *Machine) MergeSketch(b []byte) error {
	if len(b) == 0 || b[0]>>1 != sketchVersion {
		return errSketch
	}
	uses := b[1:]
	for rest := uses; len(rest) > 0; {
		if len(rest) < useHead || len(rest) < useHead+int(rest[4]) {
			return fmt.Errorf("%w: cut off", errSketch)
		}
		rest = rest[useHead+int(rest[4]):]
	}
	if b[0]&1 != m.wordKind() {
		return nil
	}
	for len(uses) > 0 {
		end := useHead + int(uses[4])
		m.raise(uses[useHead:end], binary.LittleEndian.Uint32(uses))
		uses = uses[end:]
	}
	return nil
}

// raise touches a key with a leader's access word if that is more than its own.
func (m *Machine) raise(key []byte, word uint32) {
	s := m.current.Load().serving(slot.Of(key))
	if s == nil {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	own, ok := s.keys.AccessOf(key)
	if !ok {
		return
	}
	more := int32(word-own) > 0
	if m.wordKind() == 1 {
		now := m.Now()
		more = lfuCount(word, now) > lfuCount(own, now)
	}
	if more {
		s.keys.Touch(key, word)
	}
}
