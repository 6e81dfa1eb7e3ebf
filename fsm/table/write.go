package table

// Put inserts or replaces the record of r.Key as a whole (access field included) and returns the change of Bytes.
// r is copied; it may alias this table (so that a Get can be Put under another key). A replacement that fits where
// the old value was, and whose page no View shares, is done in place and allocates nothing.
// It panics if Kind or Version exceed MaxKind or MaxVersion.
func (t *Table) Put(r Record) (delta int64) {
	r.check()
	h := t.hash(r.Key)
	p := t.pageOf(h)
	if p == nil {
		return t.insert(h, &r)
	}
	p = t.own(p, h)
	i := p.find(tagOf(h, p.depth), r.Key)
	if i < 0 {
		return t.insert(h, &r)
	}
	u := unitOf(p.index[i])
	old := p.record(u)
	delta = r.logical() - old.logical()
	t.bytes += delta
	if !t.overwrite(p, u, &r) {
		t.relocate(h, &r, len(r.Value), 0)
	}
	return delta
}

// Delete removes key and returns the change of Bytes: 0 if there was no such key, negative otherwise.
// key may alias this table.
func (t *Table) Delete(key []byte) (delta int64) {
	h := t.hash(key)
	p := t.pageOf(h)
	if p == nil {
		return 0
	}
	i := p.find(tagOf(h, p.depth), key)
	if i < 0 {
		return 0
	}
	if t.count == 1 {
		delta = -t.bytes
		t.Clear()
		return delta
	}
	p = t.own(p, h)
	u := unitOf(p.index[i])
	r := p.record(u)
	t.count--
	t.bytes -= r.logical()
	if r.Deadline != 0 {
		t.volatile--
		p.dueRemove(u)
		t.requeue(p)
	}
	p.remove(i)
	p.retire(u)
	p.tidy()
	t.merge(p, h)
	return -r.logical()
}

// SetDeadline gives key a deadline (0: none) and a version, keeps all else, and returns the change of Bytes.
// ok is false if there is no such key.
func (t *Table) SetDeadline(key []byte, deadline int64, version uint64) (delta int64, ok bool) {
	p, u, ok := t.lookup(key)
	if !ok {
		return 0, false
	}
	r := p.record(u)
	was := r.Deadline
	r.Deadline, r.Version = deadline, version
	if c := p.cell(u); !c.outboard() && c.volatile() != (deadline != 0) {
		return t.Put(r), true
	}
	r.check()
	p = t.own(p, t.hash(key))
	if !t.unlend(p, u, p.cell(u).movable()) {
		return t.Put(r), true
	}
	c := p.cell(u)
	c.setVersion(version, c[metaAt])
	c.setDeadline(deadline)
	if was != deadline {
		t.dueChanged(p, u, was != 0)
	}
	switch {
	case was == 0 && deadline != 0:
		delta = DeadlineOverhead
	case was != 0 && deadline == 0:
		delta = -DeadlineOverhead
	}
	t.bytes += delta
	return delta, true
}

// insert adds a record whose key isn't there.
func (t *Table) insert(h uint64, r *Record) (delta int64) {
	size, _ := sizeOf(len(r.Key), len(r.Value), r.Deadline != 0)
	p := t.room(h, size)
	u := p.alloc(size)
	t.write(p, u, r, len(r.Value), 0)
	p.insert(t.seed, h, r.Key, u)
	t.dueChanged(p, u, false)
	t.count++
	t.bytes += r.logical()
	return r.logical()
}

// room returns the page of h, owned, after making sure that size bytes and one more key fit.
func (t *Table) room(h uint64, size int) *page {
	p := t.pageOf(h)
	if p == nil {
		p = newPage(0, t.gen, 1)
		t.one[0] = p
		t.setDir(t.newDir(0), 0)
	}
	for p = t.own(p, h); int(p.live)+size > maxPage || p.count >= maxKeys; {
		p = t.split(p, h)
	}
	p.reserve(size)
	return p
}

// overwrite replaces the record at u by r where it is, and reports whether that was possible.
func (t *Table) overwrite(p *page, u uint16, r *Record) bool {
	c := p.cell(u)
	size, outboard := sizeOf(len(r.Key), len(r.Value), r.Deadline != 0)
	was := c.deadline()
	switch {
	case outboard != c.outboard():
		return false
	case outboard:
		if t.shared(p.blobs[c.blob()].gen) && !t.unlend(p, u, blobSize) {
			return false // what is copied is the blob
		}
		c = t.writable(p, u)
		t.setBlob(p, c, r)
	case size > c.extent() || c.volatile() != (r.Deadline != 0) || !t.unlend(p, u, size):
		return false
	default:
		c = p.cell(u)
		_, at := c.keyBounds()
		le.PutUint16(c[valueLenAt:], uint16(copy(c[at:], r.Value)))
	}
	c.setVersion(r.Version, r.meta(outboard))
	c.setDeadline(r.Deadline)
	*c.access() = r.Access
	if was != r.Deadline {
		t.dueChanged(p, u, was != 0)
	}
	if c.extent() > 2*size {
		p.trim(u, size)
		p.tidy()
	}
	return true
}

// setBlob replaces the value in c's blob, in place if that wastes less than half of it.
func (t *Table) setBlob(p *page, c cell, r *Record) {
	b := &p.blobs[c.blob()]
	n := len(r.Key) + len(r.Value)
	if t.shared(b.gen) || n > cap(b.data) || n < cap(b.data)/2 {
		*b = t.newBlob(r, len(r.Value), 0)
		return
	}
	b.data = b.data[:n]
	copy(b.data[len(r.Key):], r.Value)
}

// newBlob makes a blob for r, its value zero-extended to size, with spare bytes to grow.
func (t *Table) newBlob(r *Record, size, spare int) blob {
	n := len(r.Key) + size
	data := make([]byte, n, n+spare)
	copy(data[copy(data, r.Key):], r.Value)
	return blob{data: data, gen: t.gen}
}

// relocate moves the record of r's key, which is there, to new space, as r with its value zero-extended to size and spare
// bytes to grow. r may alias the old record.
func (t *Table) relocate(h uint64, r *Record, size, spare int) {
	need, outboard := sizeOf(len(r.Key), size, r.Deadline != 0)
	if !outboard {
		need += spare
	}
	p := t.room(h, need)
	i := p.find(tagOf(h, p.depth), r.Key)
	old := unitOf(p.index[i])
	u := p.alloc(need)
	t.write(p, u, r, size, spare)
	p.index[i] = p.index[i]&^0xffff | uint32(u)
	if p.cell(old).volatile() {
		t.volatile--
		p.dueRemove(old)
		t.requeue(p)
	}
	p.retire(old)
	t.dueChanged(p, u, false)
	p.tidy()
}

// write fills the space that alloc reserved at u, for the arguments see relocate.
func (t *Table) write(p *page, u uint16, r *Record, size, spare int) {
	c := p.cell(u)
	_, outboard := sizeOf(len(r.Key), size, r.Deadline != 0)
	c.setVersion(r.Version, r.meta(outboard))
	*c.access() = r.Access
	if outboard {
		le.PutUint32(c[restAt:], p.addBlob(t.newBlob(r, size, spare)))
		le.PutUint32(c[blobKeyAt:], uint32(len(r.Key)))
	} else {
		at := c.putKey(r.Key)
		clear(c[at+copy(c[at:], r.Value) : at+size])
		le.PutUint16(c[valueLenAt:], uint16(size))
	}
	c.setDeadline(r.Deadline)
}

// dueChanged brings the heaps up to date after the deadline of the record at u changed; was says whether it had one.
func (t *Table) dueChanged(p *page, u uint16, was bool) {
	switch is := p.cell(u).volatile(); {
	case was && is:
		fix(pageQueue{p}, p.duePlace(u))
	case is:
		t.volatile++
		p.dueAdd(u)
	case was:
		t.volatile--
		p.dueRemove(u)
	default:
		return
	}
	t.requeue(p)
}
