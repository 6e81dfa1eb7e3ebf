package wal

// window maps the dense range of indexes [first, next) to values, in a ring that grows and shrinks by powers of two:
// appending and dropping at either end allocate nothing in the steady state.
type window[T any] struct {
	first, next uint64
	ring        []T // index i is at i mod len(ring)
}

func (w *window[T]) len() int { return int(w.next - w.first) }

func (w *window[T]) has(index uint64) bool { return w.first <= index && index < w.next }

// at is the place of an index that w has.
func (w *window[T]) at(index uint64) *T { return &w.ring[index&uint64(len(w.ring)-1)] }

// push puts v at next, or at index if w is empty.
func (w *window[T]) push(index uint64, v T) {
	if w.len() == 0 {
		w.first, w.next = index, index
	}
	if w.len() == len(w.ring) {
		w.resize(max(4, 2*len(w.ring)))
	}
	w.next++
	*w.at(w.next - 1) = v
}

// dropThrough forgets the indexes up to and with last.
func (w *window[T]) dropThrough(last uint64) {
	for w.first < w.next && w.first <= last {
		clear(w.ring[w.first&uint64(len(w.ring)-1):][:1])
		w.first++
	}
	w.shrink()
}

// dropFrom forgets index and those after it.
func (w *window[T]) dropFrom(index uint64) {
	for w.first < w.next && w.next > index {
		w.next--
		clear(w.ring[w.next&uint64(len(w.ring)-1):][:1])
	}
	w.shrink()
}

func (w *window[T]) shrink() {
	size := len(w.ring)
	for size > 64 && w.len() < size/8 {
		size /= 4
	}
	if size < len(w.ring) {
		w.resize(size)
	}
}

func (w *window[T]) resize(size int) {
	ring := make([]T, size)
	for i := w.first; i < w.next; i++ {
		ring[i&uint64(size-1)] = *w.at(i)
	}
	w.ring = ring
}
