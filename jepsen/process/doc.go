// Package process runs clusters of real `quorate server` processes, on loopback or each in a network namespace of its
// own, and hurts them: kill -9, SIGSTOP, restart, cut-off.
package process
