// Package mutants switches the guards off one by one and counts how many histories, simulated or of real processes, it takes
// the harness to notice. Only builds with the tag "mutation" can do that; others hold nothing of it.
package mutants
