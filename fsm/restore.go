package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// Restore replaces the whole state (clock, versions, slot states included) by a snapshot's. It builds aside and
// swaps; on an error the old state stays. The stream's version and checksums are verified before the swap.
func (m *Machine) Restore(r io.Reader) error {
	st, err := readSnapshot(r)
	if err != nil {
		return err
	}
	if now := m.current.Load(); now.group != st.group {
		return fmt.Errorf("snapshot is of group %d, this is a replica of group %d", st.group, now.group)
	}
	st.publish()
	m.current.Store(st)
	m.flushed()
	return nil
}

func readSnapshot(r io.Reader) (*state, error) {
	frames := &frameReader{r: r}
	h, err := readHeader(frames)
	if err != nil {
		return nil, err
	}
	st := newState(Genesis{Group: h.group, HashSeed: h.seed})
	st.index, st.version = h.index, h.version
	if !offSnapshotClock {
		st.now.Store(h.now)
	}
	st.limit.Store(&h.limit)
	if err := readSlots(frames, st); err != nil {
		return nil, err
	}
	sum := newDigester(h)
	next := 0
	for {
		if err := frames.next(); err != nil {
			return nil, err
		}
		if frames.kind != kindSlot {
			break
		}
		if next, err = readSlot(frames, st, sum, next); err != nil {
			return nil, err
		}
	}
	sum.emptySlots(st, next, slot.Count)
	return st, readTrailer(frames, sum.total())
}

// readSlots reads which slots the group has.
func readSlots(frames *frameReader, st *state) error {
	if err := frames.want(kindSlots); err != nil {
		return err
	}
	if len(frames.body)%slotsRun != 0 {
		return frames.damaged("list of slots of %d bytes", len(frames.body))
	}
	last, before := -1, ownership(0)
	for b := frames.body; len(b) > 0; b = b[slotsRun:] {
		r, own := slot.Range{First: binary.LittleEndian.Uint16(b), Last: binary.LittleEndian.Uint16(b[2:])}, ownership(b[4])
		if !r.Valid() || int(r.First) <= last || int(r.First) == last+1 && own == before {
			return frames.damaged("slots %v behind slot %d", r, last)
		}
		if own != owned {
			return frames.damaged("slots %v have state %d, which this version does not know", r, own)
		}
		for n := int(r.First); n <= int(r.Last); n++ {
			st.addSlot(uint16(n), own)
		}
		last, before = int(r.Last), own
	}
	return nil
}

func readTrailer(frames *frameReader, want Digest) error {
	if frames.kind != kindTrailer {
		return frames.damaged("frame of kind %q where a slot or the trailer belongs", frames.kind)
	}
	if string(frames.body) != string(want[:]) {
		return frames.damaged("digest %x, want %s", frames.body, want)
	}
	if n, err := io.ReadFull(frames.r, make([]byte, 1)); n > 0 {
		return frames.damaged("bytes behind the trailer")
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("snapshot: read behind the trailer: %w", err)
	}
	return nil
}

func readHeader(frames *frameReader) (h header, err error) {
	if err := frames.want(kindHeader); err != nil {
		return h, err
	}
	b := frames.body
	const versionAt = len(snapshotMagic)
	if len(b) <= versionAt || string(b[:versionAt]) != snapshotMagic {
		return h, frames.damaged("not a snapshot of quorate")
	}
	if b[versionAt] != formatVersion {
		return h, fmt.Errorf("snapshot format %d: this version reads format %d; use a version of quorate that knows it", b[versionAt], formatVersion)
	}
	b = b[versionAt+1:]
	if len(b) != len(h.append(nil)) {
		return h, frames.damaged("header of %d bytes", len(b))
	}
	h = header{
		group:   slot.GroupID(binary.LittleEndian.Uint32(b)),
		seed:    binary.LittleEndian.Uint64(b[4:]),
		index:   binary.LittleEndian.Uint64(b[12:]),
		now:     int64(binary.LittleEndian.Uint64(b[20:])),
		version: binary.LittleEndian.Uint64(b[28:]),
		limit: entry.Limits{
			MaxMemory: binary.LittleEndian.Uint64(b[36:]), Policy: entry.Policy(b[44]), Samples: binary.LittleEndian.Uint32(b[45:]),
		},
	}
	// The op that sets limits is the one place that knows which are valid.
	set := entry.Limit(h.limit)
	if _, err := entry.LimitsOf(&set); err != nil {
		return h, frames.damaged("%w", err)
	}
	if h.version > table.MaxVersion {
		return h, frames.damaged("version counter %d is over %d", h.version, uint64(table.MaxVersion))
	}
	return h, nil
}

// readSlot reads a slot that has or had keys, whose first frame is current and whose number must be next or above, and returns the
// number behind it.
func readSlot(frames *frameReader, st *state, sum *digester, next int) (int, error) {
	b := frames.body
	if len(b) != len(slotFrame(0, 0, 0)) {
		return next, frames.damaged("slot frame of %d bytes", len(b))
	}
	n, keys, removed := int(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint64(b[2:]), binary.LittleEndian.Uint64(b[10:])
	if n < next || n >= slot.Count {
		return next, frames.damaged("slot %d where slot %d or a later one belongs", n, next)
	}
	s := st.slots[n]
	if s == nil || keys == 0 && removed == 0 || removed > st.version {
		return next, frames.damaged("slot %d with %d keys, removed version %d: not among the group's slots, or impossible", n, keys, removed)
	}
	sum.emptySlots(st, next, n)
	s.removed = removed
	data := &dataReader{frames: frames}
	records := recordReader{data: data, slot: s.slot, maxVersion: st.version}
	for range keys {
		r, err := records.next()
		if err != nil {
			return n, slotError(n, err)
		}
		st.addBytes(s.keys.Put(r))
	}
	if err := records.end(); err != nil {
		return n, slotError(n, err)
	}
	digest := s.keys.Digest()
	if frames.kind != kindSlotEnd || string(frames.body) != string(digest[:]) || uint64(s.keys.Len()) != keys {
		return n, frames.damaged("slot %d has %d keys with digest %x: not what was written", n, s.keys.Len(), digest)
	}
	sum.slot(s, removed, &digest)
	st.settle(s)
	return n + 1, nil
}

func slotError(n int, err error) error { return fmt.Errorf("slot %d: %w", n, err) }

// recordReader reads the records of one slot.
type recordReader struct {
	data       *dataReader
	slot       uint16
	maxVersion uint64
	buf        []byte
}

var errRecord = errors.New("no valid record")

func (d *recordReader) next() (r table.Record, err error) {
	var head [recordHead]byte
	if err := d.fill(head[:]); err != nil {
		return r, err
	}
	r = table.Record{
		Kind: head[0], Version: binary.LittleEndian.Uint64(head[1:]),
		Deadline: int64(binary.LittleEndian.Uint64(head[9:])), Access: binary.LittleEndian.Uint32(head[17:]),
	}
	keyLen, valueLen := binary.LittleEndian.Uint32(head[21:]), binary.LittleEndian.Uint32(head[25:])
	if !kind(r.Kind).known() || r.Version == 0 || r.Version > d.maxVersion || r.Deadline < 0 || keyLen > maxString || valueLen > maxString {
		return r, d.data.frames.damaged("%w: %v, version %d of %d, deadline %d, key of %d bytes, value of %d bytes",
			errRecord, kind(r.Kind), r.Version, d.maxVersion, r.Deadline, keyLen, valueLen)
	}
	if err := d.grow(int(keyLen) + int(valueLen)); err != nil {
		return r, err
	}
	r.Key, r.Value = d.buf[:keyLen], d.buf[keyLen:]
	if n := slot.Of(r.Key); n != d.slot {
		return r, d.data.frames.damaged("%w: key of slot %d", errRecord, n)
	}
	return r, nil
}

// grow reads n bytes into buf. It takes memory as bytes arrive: a length that lies costs nothing.
func (d *recordReader) grow(n int) error {
	d.buf = d.buf[:0]
	for len(d.buf) < n {
		step := min(n-len(d.buf), maxFrameBody)
		have := len(d.buf)
		d.buf = slices.Grow(d.buf, step)[:have+step]
		if err := d.fill(d.buf[have:]); err != nil {
			return err
		}
	}
	return nil
}

func (d *recordReader) fill(p []byte) error {
	_, err := io.ReadFull(d.data, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return d.data.frames.damaged("%w: the slot's data ends within it", errRecord)
	}
	return err
}

// end checks that the slot's data are used up; then the frame behind them is current.
func (d *recordReader) end() error {
	n, err := d.data.Read(make([]byte, 1))
	if n > 0 {
		return d.data.frames.damaged("%w: data behind the last record", errRecord)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
