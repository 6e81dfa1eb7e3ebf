package fsm

// Observer hears which keys change, for client-side caching. Its methods are called by the applying goroutine: they must
// return at once and not call the machine.
type Observer interface {
	// Changed: key is about to be written, or removed (by a command, by expiry or by eviction). It is called under its
	// slot's lock, so that the change cannot be read yet. key is valid only during the call.
	Changed(key []byte)
	// Flushed: all keys have gone at once (FLUSHALL, or the state was replaced by a snapshot). No lock covers them
	// together, so it comes when none of them can be read any more.
	Flushed()
}

// SetObserver sets the one observer, nil for none. It is for the applying goroutine.
func (m *Machine) SetObserver(o Observer) { m.observer = o }

func (m *Machine) changed(key []byte) {
	if m.observer != nil {
		m.observer.Changed(key)
	}
}

func (m *Machine) flushed() {
	if m.observer != nil {
		m.observer.Flushed()
	}
}
