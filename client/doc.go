// Package client talks to a Quorate cluster: a plain RESP connection that never retries behind your back and
// reports every outcome as applied, not applied or unknown, and the typed admin API of the CLI.
package client
