package tracking

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// shardCount spreads keys over locks; applying goroutines of different groups then rarely meet.
const shardCount = 64

// Client is one connection that caches. It is registered by being passed to Track or Broadcast.
type Client struct {
	// Deliver tells the client that key changed, or everything if key is nil. It must neither block nor keep key.
	Deliver func(key []byte)

	gone   atomic.Bool
	ignore atomic.Uint64
}

// Ignore keeps the client from hearing of the changes that origin makes, itself as a rule (NOLOOP); 0 ends that.
func (c *Client) Ignore(origin uint64) { c.ignore.Store(origin) }

// ignores reports whether the client does not want to hear of a change.
func (c *Client) ignores(origin uint64) bool { return origin != 0 && c.ignore.Load() == origin }

// Gone makes the table forget the client, at once for broadcasts and lazily for its keys.
func (c *Client) Gone() { c.gone.Store(true) }

// Table is what all clients track. Use New.
type Table struct {
	seed   maphash.Seed
	max    atomic.Int64
	keys   atomic.Int64
	shards [shardCount]shard

	broadcasts atomic.Int64
	mu         sync.RWMutex
	// prefixes maps a prefix to those who want to know of every change below it.
	prefixes map[string]map[*Client]struct{}
}

type shard struct {
	mu   sync.Mutex
	keys map[string][]*Client
}

// New returns an empty table for at most max keys; max 0 means no limit.
func New(max int) *Table {
	t := &Table{seed: maphash.MakeSeed(), prefixes: map[string]map[*Client]struct{}{}}
	t.max.Store(int64(max))
	for i := range t.shards {
		t.shards[i].keys = map[string][]*Client{}
	}
	return t
}

// SetMax changes the limit; keys beyond it are forgotten as new ones come.
func (t *Table) SetMax(max int) { t.max.Store(int64(max)) }

// Keys is how many keys are tracked.
func (t *Table) Keys() int { return int(t.keys.Load()) }

// Items is how many pairs of a key and a client there are.
func (t *Table) Items() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, clients := range s.keys {
			n += len(clients)
		}
		s.mu.Unlock()
	}
	return n
}

// Prefixes is how many prefixes broadcasting clients asked for.
func (t *Table) Prefixes() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.prefixes)
}

// Track notes that c is about to read key. It must be called before the read: a change between the two is then
// reported, where the other order would lose it and leave c with an old value for ever.
func (t *Table) Track(c *Client, key []byte) {
	s := t.shard(key)
	s.mu.Lock()
	clients, known := s.keys[string(key)]
	for _, have := range clients {
		if have == c {
			s.mu.Unlock()
			return
		}
	}
	s.keys[string(key)] = append(living(clients), c)
	s.mu.Unlock()
	if known {
		return
	}
	if n, most := t.keys.Add(1), t.max.Load(); most > 0 && n > most {
		t.forgetOne(s)
	}
}

// living drops clients that are gone when the list is about to grow, so that a key which is often read and never
// written does not collect every connection that ever was.
func living(clients []*Client) []*Client {
	if len(clients) < cap(clients) {
		return clients
	}
	kept := clients[:0]
	for _, c := range clients {
		if !c.gone.Load() {
			kept = append(kept, c)
		}
	}
	clear(clients[len(kept):])
	return kept
}

// forgetOne makes room by telling the clients of some key that it changed, preferably one of a shard other than s,
// which holds the newest.
func (t *Table) forgetOne(s *shard) {
	newest := 0
	for i := range t.shards {
		if &t.shards[i] == s {
			newest = i
		}
	}
	for i := range t.shards {
		if t.forgetFrom(&t.shards[(newest+1+i)%shardCount]) {
			return
		}
	}
}

func (t *Table) forgetFrom(s *shard) bool {
	s.mu.Lock()
	for key := range s.keys {
		clients := t.take(s, []byte(key), 0)
		s.mu.Unlock()
		deliver(clients, []byte(key))
		return true
	}
	s.mu.Unlock()
	return false
}

// Changed tells everyone who tracks key and does not ignore origin, the connection that changes it (0: none that is
// known). In the default mode a client is told once per Track.
func (t *Table) Changed(key []byte, origin uint64) {
	if t.keys.Load() > 0 {
		s := t.shard(key)
		s.mu.Lock()
		clients := t.take(s, key, origin)
		s.mu.Unlock()
		deliver(clients, key)
	}
	if t.broadcasts.Load() > 0 {
		t.broadcast(key, origin)
	}
}

func (t *Table) broadcast(key []byte, origin uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for prefix, clients := range t.prefixes {
		if len(prefix) <= len(key) && string(key[:len(prefix)]) == prefix {
			for c := range clients {
				if !c.ignores(origin) {
					c.Deliver(key)
				}
			}
		}
	}
}

// AllChanged tells every client that tracks or broadcasts anything to drop all it has, and forgets all keys.
func (t *Table) AllChanged() {
	told := map[*Client]struct{}{}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for key, clients := range s.keys {
			for _, c := range clients {
				told[c] = struct{}{}
			}
			delete(s.keys, key)
			t.keys.Add(-1)
		}
		s.mu.Unlock()
	}
	t.mu.RLock()
	for _, clients := range t.prefixes {
		for c := range clients {
			told[c] = struct{}{}
		}
	}
	t.mu.RUnlock()
	for c := range told {
		if !c.gone.Load() {
			c.Deliver(nil)
		}
	}
}

// Broadcast makes c hear of every change of a key that starts with one of the prefixes ("" is every key).
func (t *Table) Broadcast(c *Client, prefixes []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range prefixes {
		if t.prefixes[p] == nil {
			t.prefixes[p] = map[*Client]struct{}{}
		}
		if _, have := t.prefixes[p][c]; !have {
			t.prefixes[p][c] = struct{}{}
			t.broadcasts.Add(1)
		}
	}
}

// Silence ends what Broadcast began.
func (t *Table) Silence(c *Client, prefixes []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range prefixes {
		if _, have := t.prefixes[p][c]; have {
			delete(t.prefixes[p], c)
			t.broadcasts.Add(-1)
		}
		if len(t.prefixes[p]) == 0 {
			delete(t.prefixes, p)
		}
	}
}

func (t *Table) shard(key []byte) *shard {
	return &t.shards[maphash.Bytes(t.seed, key)%shardCount]
}

// take removes key from its shard, whose lock is held, and returns who is to hear of it. A client that ignores origin
// goes on tracking the key: it may well cache what it has written, and must hear of the next change by somebody else.
func (t *Table) take(s *shard, key []byte, origin uint64) []*Client {
	clients, known := s.keys[string(key)]
	if !known {
		return nil
	}
	if i := slices.IndexFunc(clients, func(c *Client) bool { return c.ignores(origin) }); i >= 0 {
		s.keys[string(key)] = []*Client{clients[i]}
		return slices.Delete(clients, i, i+1)
	}
	delete(s.keys, string(key))
	t.keys.Add(-1)
	return clients
}

func deliver(clients []*Client, key []byte) {
	for _, c := range clients {
		if !c.gone.Load() {
			c.Deliver(key)
		}
	}
}
