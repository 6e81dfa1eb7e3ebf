package table

// Place is where a record is: valid while its table isn't written.
type Place struct {
	page *page
	unit uint16
}

// Find returns the place of key. It allocates nothing.
func (t *Table) Find(key []byte) (Place, bool) {
	p, u, ok := t.lookup(key)
	return Place{p, u}, ok
}

// Record returns the record at the place.
func (p Place) Record() Record { return p.page.record(p.unit) }

// Touch is Table.Touch without a search.
func (p Place) Touch(access uint32) { p.page.touch(p.unit, access) }

// Look is a key to be looked up together with others: see Fetch.
type Look struct {
	table *Table
	key   []byte
	hash  uint64
	page  *page
	unit  uint16
}

// Look prepares a look for key. It doesn't read t's memory: seed is what t was made with.
func (t *Table) Look(seed uint64, key []byte) Look {
	return Look{table: t, key: key, hash: hashOf(seed, key)}
}

// Is reports whether key is what is looked for.
func (l *Look) Is(key []byte) bool { return string(l.key) == string(key) }

// Place is Find of the key. Fetch must have been called, and the table not been written since.
func (l *Look) Place() (Place, bool) {
	if l.page == nil {
		return Place{}, false
	}
	i := l.page.find(tagOf(l.hash, l.page.depth), l.key)
	if i < 0 {
		return Place{}, false
	}
	return Place{l.page, unitOf(l.page.index[i])}, true
}

// Fetch brings what looks will find into the processor's caches: it takes each step for all of them before the next, so that
// the processor waits for the memory of all together. A lookup alone waits four times, each time for an address that the
// memory before held; among millions of keys that is most of what a GET or SET costs.
//
// Every table must be one that the caller may Get from. The result has no meaning: it depends on all that was read, so
// that no read is optimised away.
func Fetch(looks []Look) (sum uint32) {
	for i := range looks {
		looks[i].page = looks[i].table.pageOf(looks[i].hash)
	}
	for i := range looks {
		if l := &looks[i]; l.page != nil {
			sum += l.page.index[l.page.home(tagOf(l.hash, l.page.depth))]
		}
	}
	// Steps are short: a branch that goes wrong, as some do in first, must not wait for a record.
	for i := range looks {
		if l := &looks[i]; l.page == nil {
			l.unit = 0
		} else {
			l.unit = l.page.first(tagOf(l.hash, l.page.depth))
		}
	}
	for i := range looks {
		if l := &looks[i]; l.unit != 0 {
			sum += uint32(l.page.cell(l.unit).extent())
		}
	}
	for i := range looks {
		if l := &looks[i]; l.unit != 0 {
			sum += l.page.cell(l.unit).glance()
		}
	}
	return sum
}

// first is the unit of the first record with the tag, which nearly always is the one with the key; 0 if there is none.
func (p *page) first(tag uint32) uint16 {
	for i := p.home(tag); i < len(p.index); i++ {
		e := p.index[i]
		if e == 0 || e>>16 > tag {
			break
		}
		if e>>16 == tag {
			return unitOf(e)
		}
	}
	return 0
}

const (
	cacheLine = 64
	// glanceMost is how far glance reads. What comes behind, the processor sees coming.
	glanceMost = 4 * cacheLine
)

// glance reads of each cache line of a record, but for the first.
func (c cell) glance() (sum uint32) {
	end := min(c.extent(), glanceMost)
	for at := cacheLine; at < end; at += cacheLine {
		sum += uint32(c[at])
	}
	return sum + uint32(c[end-1])
}
