//go:build mutation

package raftnet

// SwitchOff switches guards off for the transports opened from now on.
func (m *Mux) SwitchOff(off Off) { m.off = off }
