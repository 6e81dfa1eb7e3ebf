// Package placement decides which nodes hold which groups and which group owns which slot.
//
// Its heart is pure: a map machine with one apply function, a check function per invariant, and planning that looks
// at a map and observations and names the next step. Around it stand the service (its own Raft group), the API
// for nodes, and the driver loop on placement's leader.
package placement
