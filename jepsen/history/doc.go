// Package history records what clients asked and what they were told, as JSON lines: a file that outlives the run and
// that every checker can be run on again.
package history
