// Package resp is the front end: it reads RESP from clients, routes commands to groups and answers what a Redis
// Cluster client asks about the cluster.
//
// Every connection has one goroutine. It parses the pipeline that is in its read buffer (package frame bounds it,
// redcon slices it), looks up each command's slot, gathers the commands of one group into one shardgroup.Call
// and sends the replies in the order of the commands. Nothing but that goroutine ever waits for a slow reader.
//
// What the front end knows of the cluster is a hint: ownership and leadership are decided by the groups. It never
// says MOVED, CLUSTERDOWN, TRYAGAIN, LOADING or OOM about a command that may have been applied; for those it has
// UNCERTAIN (CORRECTNESS 2.7: clients silently send a command again after any of the former).
package resp
