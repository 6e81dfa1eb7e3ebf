package disk

// Lock is a mutex for those who hold it while a disk is at work. Waiting for it is waiting for a channel: in a
// testing/synctest bubble the clock stands still while anybody waits for a sync.Mutex, and so a simulated disk would
// never be done.
type Lock chan struct{}

// NewLock returns a lock that nobody holds.
func NewLock() Lock { return make(Lock, 1) }

// Lock waits until nobody holds l.
func (l Lock) Lock() { l <- struct{}{} }

// Unlock lets the next one in.
func (l Lock) Unlock() { <-l }
