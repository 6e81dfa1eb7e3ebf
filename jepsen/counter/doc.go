// Package counter is the plainest workload that shows lost writes and stale reads: writers count up, each on keys of
// its own, and readers check that no read is older than what was acknowledged before it began.
package counter
