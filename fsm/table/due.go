package table

import "bytes"

// Deadlines are in two heaps, both in (deadline, key) order: each page has one of the units of its records
// (2 bytes per key), and the table has one of its pages, by their first. Both are exact: whatever changes a deadline fixes them.
// To find a record in its page's heap takes a linear search of at most maxKeys×2 bytes, less than a microsecond; that is
// cheaper than to keep a place in each record, or to clean up stale entries later.

// queue is a binary min-heap that is stored somewhere.
type queue interface {
	len() int
	less(i, j int) bool
	swap(i, j int)
}

// fix restores the order after element i changed.
func fix[Q queue](q Q, i int) {
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	down(q, i)
}

// down restores the order between element i and those below it.
func down[Q queue](q Q, i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < q.len(); child++ {
			if q.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

type pageQueue struct{ *page }

func (q pageQueue) len() int { return len(q.due) }

func (q pageQueue) swap(i, j int) { q.due[i], q.due[j] = q.due[j], q.due[i] }

func (q pageQueue) less(i, j int) bool { return sooner(q.page, q.due[i], q.page, q.due[j]) }

// sooner is the (deadline, key) order.
func sooner(p *page, u uint16, q *page, v uint16) bool {
	a, b := p.cell(u).deadline(), q.cell(v).deadline()
	if a != b {
		return a < b
	}
	return bytes.Compare(p.key(u), q.key(v)) < 0
}

// heapify orders due, whatever its order was.
func (p *page) heapify() {
	for i := len(p.due)/2 - 1; i >= 0; i-- {
		down(pageQueue{p}, i)
	}
}

// duePlace returns where in due unit u is.
func (p *page) duePlace(u uint16) int {
	for i, v := range p.due {
		if v == u {
			return i
		}
	}
	panic("table: a record with a deadline is not in its page's heap")
}

func (p *page) dueAdd(u uint16) {
	p.due = append(p.due, u)
	fix(pageQueue{p}, len(p.due)-1)
}

func (p *page) dueRemove(u uint16) {
	i, last := p.duePlace(u), len(p.due)-1
	p.due[i] = p.due[last]
	p.due = p.due[:last]
	if i < last {
		fix(pageQueue{p}, i)
	}
}

type tableQueue struct{ *Table }

func (q tableQueue) len() int { return len(q.due) }

func (q tableQueue) swap(i, j int) {
	q.due[i], q.due[j] = q.due[j], q.due[i]
	q.due[i].queued, q.due[j].queued = int32(i+1), int32(j+1)
}

func (q tableQueue) less(i, j int) bool {
	return sooner(q.due[i], q.due[i].due[0], q.due[j], q.due[j].due[0])
}

// requeue brings the table's heap up to date after p's changed.
func (t *Table) requeue(p *page) {
	if len(p.due) == 0 {
		t.dequeue(p)
		return
	}
	if p.queued == 0 {
		t.due = append(t.due, p)
		p.queued = int32(len(t.due))
	}
	fix(tableQueue{t}, int(p.queued-1))
}

// dequeue takes p out of the table's heap.
func (t *Table) dequeue(p *page) {
	if p.queued == 0 {
		return
	}
	i, last := int(p.queued-1), len(t.due)-1
	t.due[i] = t.due[last]
	t.due[i].queued = p.queued
	t.due[last] = nil
	t.due = t.due[:last]
	p.queued = 0
	if i < last {
		fix(tableQueue{t}, i)
	}
}
