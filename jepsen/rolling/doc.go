// Package rolling restarts every node of a cluster of real processes in turn, as an operator or a rolling update of
// Kubernetes does, while applications use it through several clients with default settings, and reports what they noticed:
// there must be no failed command.
package rolling
