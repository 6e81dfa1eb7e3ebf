// Package workload is what clients do to a cluster while it is being hurt. Every logical process has one thing in flight,
// never retries, and records truthfully what it was told. Objects are given up after some 200 operations and shared by at
// most 8 processes, which keeps the search for a linear order short.
package workload
