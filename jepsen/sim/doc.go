// Package sim simulates whole clusters in virtual time and looks for what cannot be.
//
// Everything that a node is made of is the real code: the RESP front, groups, Raft, the log's format, snapshots, placement,
// and so are the clients. Below it, the network (fabric), the machines with their disks and clocks (machine) and the time
// (bubble) are simulated, and what they do follows from a seed: the same seed gives the same run.
//
// A run is drawn as a Plan. In its first phase anything may go wrong, of the families of faults that the plan has switched on
// (swarm testing). In the second only a core of nodes lives, as few as may be, and must serve and converge within a bound;
// then the others come back and must catch up. Package oracle watches every replica's every step; the clients' history is
// checked afterwards against the log that all replicas share.
//
// Each run has a process of its own (Child); a Farm works through many seeds, and looks for the smallest run that still shows
// a violation.
package sim
