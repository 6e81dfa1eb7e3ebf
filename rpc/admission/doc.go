// Package admission bounds how many connections there are at a time, in all and from one address, so that no host can take the places
// of all others by opening connections and saying nothing.
package admission
