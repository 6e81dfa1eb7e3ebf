package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// worker is one connection and the goroutine that drives it.
type worker struct {
	s     *shared
	id    int
	addr  string
	keys  *keyspace
	conn  *conn // nil if store is set
	store Store
	key   []byte
	value []byte
	rnd   *rand.Rand
	zipf  *zipf
}

func (s *shared) dial(ctx context.Context, addr string, id int) (*worker, error) {
	w := &worker{s: s, id: id, addr: addr, keys: s.keys[addr], value: make([]byte, s.plan.ValueSize)}
	for i := range w.value {
		w.value[i] = 'v'
	}
	w.rnd = rand.New(rand.NewPCG(uint64(id)+1, 0x9e3779b97f4a7c15))
	if s.plan.Zipf > 0 {
		w.zipf = newZipf(w.rnd, s.plan.Zipf, len(w.keys.present))
	}
	var err error
	if s.plan.Open != nil {
		w.store, err = s.plan.Open(ctx, id)
	} else {
		w.conn, err = dialConn(ctx, addr, s.plan.Password)
	}
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", addr, err)
	}
	return w, nil
}

func (w *worker) close() {
	if w.store != nil {
		_ = w.store.Close() // nothing is in flight
		return
	}
	w.conn.nc.Close()
}

// loop sends pipelines until ctx ends or the connection breaks.
func (w *worker) loop(ctx context.Context) {
	n := w.s.plan.Pipeline
	next := time.Now()
	var gap time.Duration
	if w.s.plan.Rate > 0 {
		gap = w.s.plan.gap()
		next = next.Add(time.Duration(w.rnd.Int64N(int64(gap) + 1)))
		defer func() { w.s.rec.overdue(w.id, next, false) }()
	} else {
		defer func() { w.s.rec.cutOff(w.id, next) }()
	}
	for sleepUntil(ctx, next) {
		saw, err := w.pipeline(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.s.rec.broke(fmt.Sprintf("%s: %v", w.addr, err))
			}
			return
		}
		if !w.s.rec.record(w.id, n, time.Since(next), saw) && w.s.rec.over() {
			return
		}
		if next = next.Add(gap); gap == 0 {
			next = time.Now()
		}
	}
}

// sleepUntil reports whether t came before the end of ctx.
func sleepUntil(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// next chooses the next operation and writes its key.
func (w *worker) next() (get bool) {
	p := w.s.plan
	if get = p.Reads == 1 || p.Reads > 0 && w.rnd.Float64() < p.Reads; get && len(w.keys.absent) > 0 && w.rnd.Float64() < p.Absent {
		w.name(absent, w.keys.absent[w.rnd.IntN(len(w.keys.absent))])
		return true
	}
	if w.zipf != nil {
		w.name(present, w.keys.present[w.zipf.next()])
	} else {
		w.name(present, w.keys.present[w.rnd.IntN(len(w.keys.present))])
	}
	return get
}

func (w *worker) name(k kind, n uint32) { w.key = appendKey(w.key[:0], k, n, w.s.plan.KeySize) }

// pipeline sends one pipeline and reads its replies.
func (w *worker) pipeline(ctx context.Context) (seen, error) {
	if w.store != nil {
		return w.one(ctx)
	}
	return w.exchange(w.s.plan.Pipeline, w.compose())
}

// compose makes the next pipeline and says how many GETs are in it.
func (w *worker) compose() (gets int) {
	w.conn.out = w.conn.out[:0]
	for range w.s.plan.Pipeline {
		if w.next() {
			gets++
			w.conn.command("GET", w.key)
		} else {
			w.conn.command("SET", w.key, w.value)
		}
	}
	return gets
}

// appendWait adds WAIT where the plan says so, and returns for how many replicas.
func (w *worker) appendWait(gets int) int {
	wait := w.s.plan.WaitReplicas
	if gets == w.s.plan.Pipeline || wait <= 0 {
		return 0
	}
	w.conn.wait(wait)
	return wait
}

// exchange sends what was composed and reads the replies.
func (w *worker) exchange(n, gets int) (seen, error) {
	wait := w.appendWait(gets)
	if err := w.conn.send(); err != nil {
		return seen{}, err
	}
	return w.receive(n, gets, wait)
}

func (w *worker) receive(n, gets, wait int) (seen, error) {
	saw, err := w.conn.receive(n, wait)
	saw.gets = int64(gets)
	if w.conn.refusal != "" {
		w.s.rec.note(w.addr + ": " + w.conn.refusal)
	}
	return saw, err
}

// one carries one operation out on a store. One that fails is refused: to connect again is the store's affair.
func (w *worker) one(ctx context.Context) (saw seen, err error) {
	hit := true
	if w.next() {
		saw.gets = 1
		hit, err = w.store.Get(ctx, w.key)
	} else {
		err = w.store.Set(ctx, w.key, w.value)
	}
	switch {
	case ctx.Err() != nil:
		return saw, err
	case err != nil:
		w.s.rec.note(fmt.Sprintf("%s: %v", w.addr, err))
		saw.refused, saw.waited = 1, 1
	case !hit:
		saw.misses = 1
	}
	return saw, nil
}

// write sets keys, all in one pipeline.
func (w *worker) write(ctx context.Context, keys []uint32) error {
	if w.conn != nil {
		w.conn.out = w.conn.out[:0]
	}
	for _, number := range keys {
		w.name(present, number)
		if w.store == nil {
			w.conn.command("SET", w.key, w.value)
		} else if err := w.store.Set(ctx, w.key, w.value); err != nil {
			return err
		}
	}
	if w.store != nil {
		return nil
	}
	_, err := w.exchange(len(keys), 0)
	return err
}
