package fsm

import "container/heap"

// MaxExpiredPerEntry bounds how many expired keys one entry removes, so that a million keys with one deadline do not
// hold up the writes behind them. Expired keys are invisible at once; removal only gives the memory back.
const MaxExpiredPerEntry = 256

const notInHeap = -1

// dueHeap orders the slots that hold keys with deadlines by (first deadline, slot).
type dueHeap []*shard

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return a.deadline < b.deadline || a.deadline == b.deadline && a.slot < b.slot
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = int32(i), int32(j)
}

// Push is for container/heap.
func (h *dueHeap) Push(x any) {
	s := x.(*shard)
	s.heapAt = int32(len(*h))
	*h = append(*h, s)
}

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.heapAt = notInHeap
	return s
}

// fix gives a slot whose first deadline has changed its place.
func (h *dueHeap) fix(s *shard) {
	switch {
	case s.heapAt == notInHeap && s.deadline != never:
		heap.Push(h, s)
	case s.heapAt != notInHeap && s.deadline == never:
		heap.Remove(h, int(s.heapAt))
	case s.heapAt != notInHeap:
		heap.Fix(h, int(s.heapAt))
	}
}

// removeDue removes keys that have expired by the machine's clock, the longest expired first.
func (m *Machine) removeDue(st *state) {
	now := st.now.Load()
	for range MaxExpiredPerEntry {
		if len(st.due) == 0 || st.due[0].deadline > now {
			return
		}
		m.removeFirst(st, st.due[0])
	}
}

func (m *Machine) removeFirst(st *state, s *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.keys.NextDue()
	if !ok {
		panic("fsm: a slot is due and holds nothing that expires")
	}
	st.beforeWrite(s)
	m.changed(r.Key)
	s.forget(r.Version)
	st.addBytes(s.keys.Delete(r.Key))
	st.settle(s)
	m.expired.Add(1)
}
