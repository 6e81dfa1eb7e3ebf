// Package failover hurts a cluster of real processes in a fixed list of ways while counters count up, and reports for each
// how long the dead leader's keys were away, and whether any acknowledged write was lost, any read was stale or any
// replica differs.
package failover
