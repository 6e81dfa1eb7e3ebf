// Package placement is the pure machine that decides maps: a State, the Commands that change it, and their encoding.
//
// State.Apply is the only way that a map changes. It copies, edits, and checks every invariant of the result; what breaks
// one is refused, on every replica alike. Package plan names what to do next, package service carries it out and
// brings the map to every node. DESIGN.md says why it is as it is.
package placement
