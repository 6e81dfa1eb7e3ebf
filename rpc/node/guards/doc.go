// Package guards switches guards of a node off, so that a harness can show that it would notice. Only builds with the tag
// "mutation" can do that; in others there are no guards to be named.
package guards
