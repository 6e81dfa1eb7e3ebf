package fsm

// Observer hears which keys change, for client-side caching. Its methods are called by the applying goroutine, under a
// slot's lock and before the change can be read: they must return at once and not call the machine.
type Observer interface {
	// Changed: key is about to be written, or removed (by a command, by expiry or by eviction). key is valid only
	// during the call.
	Changed(key []byte)
	// Flushed: all keys went at once (FLUSHALL, or the state was replaced by a snapshot).
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
