// Package versus measures Quorate beside its peers on this machine in one run: the same load on Redis Cluster (Debian's
// redis-server) and on Quorate, in turn, several times over, and the medians of both.
package versus
