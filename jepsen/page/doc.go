// Package page draws a run as one HTML page that needs nothing else: the verdicts, what clients got and how long it took plotted
// over the faults, how the cluster recovered, and porcupine's picture of a violation.
package page
