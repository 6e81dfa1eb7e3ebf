// Package machine is what nodes of a simulation run on: disks that forget what was not synced when the power goes, that are
// slow, stuck, failing or full, and a wall clock that is wrong. A machine outlives the processes that run on it, one at a time.
package machine
