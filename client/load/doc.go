// Package load generates load on any Redis Cluster and measures it: throughput, latency as HDR histograms, and the
// CPU time of server processes per operation.
//
// Every connection is one goroutine that sends pipelines of one node's keys. A closed loop sends the next pipeline when the
// last is answered; an open loop has a schedule and measures latency from the scheduled time, so that a stalled server
// cannot hide its stall (coordinated omission).
//
// A stall at the end shows in both. An open loop counts all that was due by then. A closed loop has a pipeline under way on each connection
// at any time, so it counts those that had waited longer by then than any that was answered.
package load
