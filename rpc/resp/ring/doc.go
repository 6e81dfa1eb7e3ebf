// Package ring receives from many sockets, or sends to many, with one system call: through Linux's io_uring, of which it uses
// the smallest part. Nothing stays under way: a transfer that would have to wait fails, so when Run returns the kernel is through with
// every buffer.
//
// In a virtual machine where a system call costs 1.1 µs, receiving a request and sending a reply took 5.1 µs of CPU time with a
// call each, 2.9 in fours and 2.0 in sixteens.
package ring
