// Package topology is the cluster map as a value: nodes, groups, their members, and slot → group at one epoch.
//
// Placement decides maps; every node caches the newest it has seen and never edits one. The package is pure.
package topology
