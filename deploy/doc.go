// Package deploy holds what runs Quorate elsewhere: a systemd unit, and quorate.yaml, a configuration file with every key at
// its default. It has no code but a test that keeps the file complete.
package deploy
