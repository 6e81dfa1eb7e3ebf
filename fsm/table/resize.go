package table

// Resize gives the value of key the length size and the record the version, and returns the value for the caller
// to write into until the next call: what is kept is unchanged, what is new is zero. It reserves room, so that a row
// of APPENDs costs amortised O(bytes appended). APPEND, SETRANGE, SETBIT and INCR are a Resize and a copy.
// ok is false if there is no such key.
func (t *Table) Resize(key []byte, size int, version uint64) (value []byte, delta int64, ok bool) {
	p, u, ok := t.lookup(key)
	if !ok {
		return nil, 0, false
	}
	r := p.record(u)
	delta = int64(size - len(r.Value))
	r.Version = version
	r.check()
	if delta < 0 {
		r.Value = r.Value[:size]
		t.Put(r)
	} else {
		t.grow(&r, size)
		t.bytes += delta
	}
	p, u, _ = t.lookup(key)
	return p.value(u), delta, true
}

// grow extends the value of r, a record of this table, to size, which is not less than it has, and makes it writable.
func (t *Table) grow(r *Record, size int) {
	h := t.hash(r.Key)
	p := t.own(t.pageOf(h), h)
	i := p.find(tagOf(h, p.depth), r.Key)
	u := unitOf(p.index[i])
	c := p.cell(u)
	need, outboard := sizeOf(len(r.Key), size, r.Deadline != 0)
	switch {
	case c.outboard() && t.shared(p.blobs[c.blob()].gen) && !t.unlend(p, u, blobSize):
		spare := size / 4
		if size == len(r.Value) {
			spare = 0
		}
		t.relocate(h, r, size, spare) // what is copied is the blob
		return
	case c.outboard():
		c = t.writable(p, u)
		t.growBlob(&p.blobs[c.blob()], r, size)
	case !outboard && need <= c.extent() && !t.unlend(p, u, c.extent()):
		t.relocate(h, r, size, c.extent()-need)
		return
	case !outboard && need <= c.extent():
		c = p.cell(u)
		_, at := c.keyBounds()
		clear(c[at+len(r.Value) : at+size])
		le.PutUint16(c[valueLenAt:], uint16(size))
	case outboard:
		t.relocate(h, r, size, size/4)
		return
	default:
		t.relocate(h, r, size, need/2&^(unit-1))
		return
	}
	c.setVersion(r.Version, c[metaAt])
}

// growBlob is grow for a value in a blob.
func (t *Table) growBlob(b *blob, r *Record, size int) {
	n := len(r.Key) + size
	switch {
	case n == len(b.data) && t.shared(b.gen):
		*b = t.newBlob(r, size, 0)
	case n > cap(b.data) || t.shared(b.gen):
		*b = t.newBlob(r, size, size/4)
	default:
		old := len(b.data)
		b.data = b.data[:n]
		clear(b.data[old:])
	}
}
