// Package nemesis hurts a cluster of processes: what, whom and for how long come from a seed. It checks that the cluster was
// whole before, that the fault really bit, and that the cluster is whole again after.
package nemesis
