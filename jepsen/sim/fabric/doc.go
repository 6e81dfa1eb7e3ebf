// Package fabric is the network of a simulation, for bubbles of virtual time: calls between nodes (over memnet) and byte
// streams between clients and nodes, on links that delay, lose, reorder and hold what they carry.
//
// What happens to a message is a function of the seed, its link and how many messages that link has carried before. Calls
// overtake each other and get lost; they never arrive twice, because package peer, in whose place this stands, does not
// let them. Streams keep their order, and what a link loses they send again later, as TCP does.
package fabric
