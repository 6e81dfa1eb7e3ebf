//go:build mutation

package consensus

// SwitchOff opens a replica with guards off.
func SwitchOff(cfg *Config, off Off) { cfg.off = off }
