// Package oracle watches every replica of a simulated cluster and says what cannot be: two leaders in a term, logs that do
// not match, two entries at one committed index, replicas that differ at one index, a slot of two groups.
//
// It sees more than any client: each entry before it is stored, each state after an entry was applied, each message of a
// leader as it is sent. What it learned outlives the replicas' restarts.
package oracle
