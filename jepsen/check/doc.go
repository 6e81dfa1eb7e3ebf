// Package check decides whether a history can be that of a correct cluster. Every checker is a function of what was
// recorded, so that a stored run can be judged again.
package check
