// Package duel hurts Quorate and Redis Cluster in the same ways, with the same clients, and counts what each has lost.
package duel
