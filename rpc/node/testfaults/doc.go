// Package testfaults lets a test harness order faults from a running node through a file: a wall clock that jumps or runs
// at another speed, and a disk that is slow, stuck, failing or full. A node obeys no file unless the key test-faults names one,
// which no production node should have.
package testfaults
