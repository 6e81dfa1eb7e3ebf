// Package stable keeps what is tiny and sacred: each group's term and vote (in one record) and the node's identity.
package stable
