// Package wire is a network in user space: every packet from one network namespace to another passes this process, which can
// drop it, delay it, or let others overtake it, in each direction apart. The kernels' TCP at both ends meets what a bad
// cable does. It needs Linux and root.
package wire
