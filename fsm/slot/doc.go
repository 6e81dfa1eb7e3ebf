// Package slot names the unit of sharding: the 16384 slots, sets of them, and the groups that own them.
//
// A key's slot is CRC16(hash tag or key) mod 16384, as in the Redis Cluster specification
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). The package is pure.
package slot
