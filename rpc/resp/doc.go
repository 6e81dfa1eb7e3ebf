// Package resp is the front end: it reads RESP from clients, routes commands to groups and answers what a Redis
// Cluster client asks about the cluster.
//
// A connection (conn) is a machine that never waits: advance parses the pipeline that is in its read buffer (package frame
// bounds it, redcon slices it), looks up each command's slot, gathers the commands of one group into one shardgroup.Call,
// collects the replies in the order of the commands, and says what it waits for. Who waits is its driver: a loop, which
// serves thousands of sockets through epoll and io_uring, or a goroutine of its own (thread) where there is no epoll. What
// may block (CONFIG SET, KEYS, parking, reads of followers, or of a lease that has lapsed) is done beside the loop. A slow reader holds up itself only.
//
// What the front end knows of the cluster is a hint: ownership and leadership are decided by the groups. It never
// says MOVED, CLUSTERDOWN, TRYAGAIN or OOM about a command that may have been applied; for those it has
// UNCERTAIN: clients silently send a command again after any of the former.
package resp
