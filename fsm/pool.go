package fsm

// poolSize is Redis's EVPOOL_SIZE.
const poolSize = 16

// candidate is a key that was sampled. The higher the score, the better a victim.
type candidate struct {
	score uint64
	slot  uint16
	key   []byte
}

// evictionPool keeps the best candidates of several samples, so that sampling a few keys per victim comes close to
// exact LRU or LFU (Redis's evict.c does the same). best is last. Keys may have changed or gone since.
type evictionPool struct {
	best [poolSize]candidate
	n    int
}

// offer adds a candidate if there is room or it beats the worst. key is copied into the buffer of what it replaces.
func (p *evictionPool) offer(score uint64, slot uint16, key []byte) {
	for i := range p.n {
		if p.best[i].slot == slot && string(p.best[i].key) == string(key) {
			return
		}
	}
	at := 0
	for at < p.n && p.best[at].score < score {
		at++
	}
	if p.n == poolSize {
		if at == 0 {
			return
		}
		at--
		worst := p.best[0]
		copy(p.best[:at], p.best[1:at+1])
		p.best[at] = worst
	} else {
		spare := p.best[p.n]
		copy(p.best[at+1:p.n+1], p.best[at:p.n])
		p.best[at] = spare
		p.n++
	}
	c := &p.best[at]
	c.score, c.slot, c.key = score, slot, append(c.key[:0], key...)
}

// take removes the best candidate; its key is valid until the next offer.
func (p *evictionPool) take() (candidate, bool) {
	if p.n == 0 {
		return candidate{}, false
	}
	p.n--
	return p.best[p.n], true
}

func (p *evictionPool) clear() { p.n = 0 }
