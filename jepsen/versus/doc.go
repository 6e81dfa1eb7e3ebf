// Package versus measures Quorate on this machine: beside its peers in one run, the same load on each system in turn,
// several times over; and what it costs in memory, at rest, and as clusters grow. Every report names the machine, the
// versions of everything, and the command lines that led to it.
package versus
