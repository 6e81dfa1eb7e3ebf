// Package jepsen is the harness that breaks clusters and checks what clients saw: processes, faults, histories,
// checkers.
package jepsen
