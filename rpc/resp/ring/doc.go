// Package ring receives from many sockets, or sends to many, with one system call: through Linux's io_uring, of which it uses
// the smallest part. Nothing stays under way: a transfer that would have to wait fails, so when Run returns the kernel is through with
// every buffer.
//
// In a virtual machine where a system call costs 1.1 µs, BenchmarkTransfer sends to 16 sockets and receives from the other ends in
// 12 µs instead of 63, with 4 sockets in 6 instead of 15; with one it makes no difference.
package ring
