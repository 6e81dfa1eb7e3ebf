// Package stable keeps what is tiny and sacred: each group's term and vote (in one record) and the node's identity.
//
//	lock, err := stable.LockDir(dir)             // one process per data folder
//	s, err := stable.Open(path, fatal)           // one bbolt file per node
//	func (s *Store) ForGroup(id slot.GroupID) raft.StableStore
//	func (s *Store) RemoveGroup(id slot.GroupID) // keeps the vote: see there
//	func (s *Store) NodeID() string              // 40 hex digits, made at the first Open
//	func (s *Store) ClusterID() string           // "" until SetClusterID
//	func (s *Store) SetClusterID(id string) error
//	func (s *Store) BeginRun(lossy bool) error   // lossy: this run's log is not synced before it acknowledges
//	func (s *Store) LostTailPossible() bool      // an earlier lossy run ended in a power cut: catch up before voting
//	func (s *Store) TailRecovered() error        // caught up
//	func (s *Store) Close() error                // marks a clean end
package stable
