// Package demo is a guided tour of a minute: a cluster of real processes, load, a killed leader, and the count of what was
// acknowledged against what is there.
package demo
