// Package bootstrap decides how separate nodes become one cluster, exactly once. It is pure: records and greetings in,
// the next action out.
//
// The protocol. Nodes greet each other (Hello). A node that knows exactly the N free nodes it was told to expect, itself
// included, and has the lowest id among them, makes a Proposal: a random cluster id and the N nodes. Accepting a
// proposal means to write it to disk before anybody is told, and is never undone; the proposer accepts first. A node
// shows what it accepted in every greeting, and a free node that is listed in a proposal it hears of accepts it.
// Whoever sees that all N nodes have accepted the same proposal knows that the cluster exists: each of them founds it,
// alone and at its own time, with the identical list.
//
// Why it is safe: a cluster exists only if all of its N nodes accepted its proposal, and no node ever accepts two, so
// two clusters have no node in common; two halves of the N nodes can't both found anything. Why it ends: every step
// is repeated until it is done, any acceptor spreads the proposal, and a restart loses nothing but greetings. If the
// proposer dies for ever after one other node accepted, the others found the cluster without it (it has accepted),
// and it counts as a dead member. What is left is two rival proposals, which takes more than N nodes that expect N:
// then neither can be completed, nothing is lost because no cluster exists, and the nodes tell the operator
// which data folders to delete (Halt).
package bootstrap
