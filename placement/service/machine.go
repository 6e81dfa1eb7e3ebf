package service

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

// machine is placement's state under Raft's hand. What cannot be right ends the process: a replica that goes on after
// an entry it could not read would disagree with the others for ever.
type machine struct {
	publish func(*topology.Map)
	fatal   func(error)

	mu    sync.Mutex
	state placement.State
	// index is the newest entry in state. A Raft instance that is restarted over a living machine replays older ones.
	index uint64
}

// verdict is what Apply answers to a proposer.
type verdict struct {
	epoch uint64
	err   error
}

// Apply implements raft.FSM.
func (m *machine) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.Index <= m.index {
		return verdict{epoch: m.state.Epoch()}
	}
	c, err := placement.Decode(l.Data)
	if err != nil {
		m.fatal(fmt.Errorf("placement: log entry %d: %w", l.Index, err))
		return verdict{err: err}
	}
	next, err := m.state.Apply(c)
	m.index = l.Index
	if err == nil {
		m.become(next)
	}
	return verdict{epoch: m.state.Epoch(), err: err}
}

func (m *machine) become(s placement.State) {
	m.state = s
	if s.Map != nil {
		m.publish(s.Map)
	}
}

// now returns the state; it is a value nobody changes.
func (m *machine) now() placement.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return snapshot{m.state, m.index}, nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	data, err := io.ReadAll(io.LimitReader(r, placement.MaxState+1))
	if err != nil {
		return fmt.Errorf("placement: read snapshot: %w", err)
	}
	state, index, err := placement.DecodeState(data)
	if err != nil {
		return fmt.Errorf("placement: restore snapshot: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index = index
	m.become(state)
	return nil
}

type snapshot struct {
	state placement.State
	index uint64
}

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	data, err := s.state.Encode(s.index)
	if err == nil {
		_, err = sink.Write(data)
	}
	if err != nil {
		_ = sink.Cancel() // the error that led here is the one to report
		return fmt.Errorf("placement: write snapshot: %w", err)
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (snapshot) Release() {}
