// Package stable keeps what is tiny and sacred: each group's term and vote (in one record) and the node's identity, in
// one bbolt file per node, through hashicorp/raft-boltdb/v2. Every write is synced; one that fails or hangs is fatal.
//
//	lock, err := stable.LockDir(dir)             // one process per data folder
//	s, err := stable.Open(path, stall, fatal)    // OpenOn takes another file than bbolt's, for simulations
//	s.NodeID()                                   // 40 hex digits, drawn when the file was made
//	hold, err := s.BeginRun(lease, longest)      // vote for nobody for so long, then s.PromisesOver()
//	log := wal.Open(…)
//	s.LogOpened(durability == wal.Interval)
//	if s.LostTail(group) { … }                   // catch up before voting, s.GroupRecovered(group) before the first vote
//	s.TailRecovered()                            // when all of the node's groups have
//	raft.NewRaft(…, s.ForGroup(id), …)
//	s.EndRun()                                   // after the log's Close, if that had no error: marks a clean end
//	s.Close()
//
// What is not detected: a file that was replaced by an older copy of itself. Who restores one, restores a node that
// forgot votes; let a restored node join under a new identity.
package stable
