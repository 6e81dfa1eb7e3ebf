// Package config is everything that an operator can set on a node: one list of keys, read from flags, QUORATE_*
// environment variables and a YAML file, in that order of precedence.
//
// Every key is declared once, in Flags; the file, the environment and the reference deploy/quorate.yaml are derived from it.
package config
