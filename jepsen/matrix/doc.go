// Package matrix runs workloads against faults, a short history per cell, round-robin over families of faults and seeds, and keeps
// the account of them in a folder: it goes on where it was interrupted, and the account can be taken again from what is there.
package matrix
