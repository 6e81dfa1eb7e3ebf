// Package command is the command table as data: names, stable ids, arity, flags, key positions, categories
// and documentation of every command Quorate knows. COMMAND answers from it, the front end routes by it, the
// log encodes commands by its ids and the machine dispatches on them. The package is pure and executes nothing.
package command
