// Package clusterview shows the cluster in the forms that Redis Cluster clients read: CLUSTER SLOTS, SHARDS, NODES
// and INFO.
//
// Only leaders are shown, one per address, because clients that see one address as master of some slots and replica
// of others misplace one or the other. A slot whose group is
// electing keeps its last known leader, so all slots are always covered: several clients refuse a map with holes.
package clusterview
