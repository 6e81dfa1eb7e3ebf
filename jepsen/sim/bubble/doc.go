// Package bubble runs a function in virtual time (testing/synctest), inside and outside "go test", so that the same seed
// leads to the same run.
//
// What would make two runs of one program differ is taken away: goroutines run one at a time and are not interrupted (Env,
// Start), memory is collected only between events (Settle), and all random numbers come from the seed: math/rand's and
// crypto/rand's (Run), and the runtime's own, which order select, map iterations and timers, and are math/rand/v2's
// (Start). That takes a process of its own, one per run.
package bubble
