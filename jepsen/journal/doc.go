// Package journal reads back what the nodes of a cluster that has ended have in their logs, and judges by it: the logs agree,
// every acknowledged write is in them once, nothing is that no client sent, one group executed each slot's commands, and a replay gives the replicas'
// digests. It also tells what became of writes whose clients never heard, and when keys expired or were evicted.
package journal
