// Package plan names the next step towards what placement wants: a map and observations in, a step out.
//
// It is pure: it remembers nothing, so a new driver continues where the log and the world are, and it may be asked
// any number of times. Who executes a step writes the intent to placement's log first where the step changes the map.
package plan
