package shardgroup

import (
	"slices"
	"sync"
)

// queue holds the calls that wait for an entry, in order of arrival. Any goroutine puts; only the batcher takes.
type queue struct {
	limits Limits
	// wake has room for one signal: there is something new in the queue, or another reason to look.
	wake chan struct{}

	mu     sync.Mutex
	closed bool
	calls  []*Call // calls[:head] are gone
	head   int
	bytes  int64
	// advance is joined by those who wait for the next entry, whatever it holds; nil if nobody does.
	advance *advance
}

// advance is one entry that somebody waits for.
type advance struct {
	done  chan struct{}
	index uint64
	err   error
}

// finish wakes those who wait for an entry; a is nil if nobody does.
func (a *advance) finish(index uint64, err error) {
	if a != nil {
		a.index, a.err = index, err
		close(a.done)
	}
}

func newQueue(l Limits) *queue { return &queue{limits: l, wake: make(chan struct{}, 1)} }

// put adds calls, in order. It returns how many it took, and why not the next one.
func (q *queue) put(calls []*Call) (taken int, why error) {
	for _, c := range calls {
		c.size = c.bytes()
	}
	q.mu.Lock()
	for _, c := range calls {
		if why = q.refuses(c); why != nil {
			break
		}
		q.calls = append(q.calls, c)
		q.bytes += c.size
		taken++
	}
	q.mu.Unlock()
	if taken > 0 {
		q.signal()
	}
	return taken, why
}

// refuses needs mu.
func (q *queue) refuses(c *Call) error {
	waiting := len(q.calls) - q.head
	switch {
	case q.closed:
		return ErrNoLeader
	case waiting >= q.limits.QueueCalls, waiting > 0 && q.bytes+c.size > q.limits.QueueBytes:
		return ErrOverloaded
	}
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// join adds a waiter to the next entry. Once the batcher has ended nobody answers, so waiters watch Group.ended too.
func (q *queue) join() *advance {
	q.mu.Lock()
	if q.advance == nil {
		q.advance = &advance{done: make(chan struct{})}
	}
	a := q.advance
	q.mu.Unlock()
	q.signal()
	return a
}

// takeAdvance hands over those who wait for the next entry.
func (q *queue) takeAdvance() *advance {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.advance
	q.advance = nil
	return a
}

// waiting returns the waiting calls. The batcher alone removes calls, so for it the slice stays true until it does.
func (q *queue) waiting() []*Call {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls[q.head:len(q.calls):len(q.calls)]
}

// drop removes the first n calls; their owner is the batcher now.
func (q *queue) drop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.calls[q.head : q.head+n] {
		q.bytes -= c.size
	}
	clear(q.calls[q.head : q.head+n])
	q.head += n
	if q.head > len(q.calls)/2 {
		rest := copy(q.calls, q.calls[q.head:])
		clear(q.calls[rest:])
		q.calls, q.head = q.calls[:rest], 0
	}
}

// remove takes one call out of the midst of the queue.
func (q *queue) remove(c *Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls = slices.DeleteFunc(slices.Clone(q.calls[q.head:]), func(o *Call) bool { return o == c })
	q.head = 0
	q.bytes -= c.size
}

// putBack returns calls that drop removed to the head of the queue.
func (q *queue) putBack(calls []*Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range calls {
		q.bytes += c.size
	}
	q.calls = slices.Concat(calls, q.calls[q.head:])
	q.head = 0
}

// wanted reports whether anybody waits, and how many calls do.
func (q *queue) wanted() (anybody bool, calls int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	calls = len(q.calls) - q.head
	return calls > 0 || q.advance != nil, calls
}

// gathers reports whether the next entry can become larger by waiting: more calls may come, and there is room for them in its bytes.
func (q *queue) gathers(entryBytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.closed && len(q.calls)-q.head < q.limits.QueueCalls && q.bytes < int64(entryBytes)
}

// load returns the calls and bytes that wait.
func (q *queue) load() (calls int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.calls) - q.head, q.bytes
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// close refuses all further calls.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}
