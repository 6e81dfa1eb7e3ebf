// Package resp is the front end: it reads RESP from clients, routes commands to groups and answers what a Redis
// Cluster client asks about the cluster.
package resp
