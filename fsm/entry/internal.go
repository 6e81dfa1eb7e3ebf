package entry

import (
	"encoding/binary"
	"fmt"

	"github.com/quorate/quorate/fsm/command"
)

// Victim is a key that the leader chose to evict. The machine removes it only if it still has this version, so a
// key that was written between the choice and its place in the log stays.
type Victim struct {
	Key     []byte
	Version uint64
}

// Evict makes the op that removes victims. Its arguments are a key and a version (8 bytes, little endian) in turn;
// the keys are not copied. There is at least one victim and there are at most MaxArgs/2.
func Evict(victims []Victim) Op {
	args := make([][]byte, 0, 2*len(victims))
	for _, v := range victims {
		args = append(args, v.Key, binary.LittleEndian.AppendUint64(nil, v.Version))
	}
	return Op{Cmd: command.Evict, Args: args}
}

// Victims appends the victims of an Evict op to dst. The keys alias the op's arguments.
func Victims(dst []Victim, op *Op) ([]Victim, error) {
	if err := checkVictims(op); err != nil {
		return dst, err
	}
	for i := 0; i < len(op.Args); i += 2 {
		dst = append(dst, Victim{Key: op.Args[i], Version: binary.LittleEndian.Uint64(op.Args[i+1])})
	}
	return dst, nil
}

func checkVictims(op *Op) error {
	if op.Cmd != command.Evict || len(op.Args) == 0 || len(op.Args)%2 != 0 {
		return fmt.Errorf("%w: %v with %d arguments is no list of keys and versions", ErrInvalid, op.Cmd, len(op.Args))
	}
	for i := 1; i < len(op.Args); i += 2 {
		if n := len(op.Args[i]); n != 8 {
			return fmt.Errorf("%w: evict: version of victim %d has %d bytes instead of 8", ErrInvalid, i/2, n)
		}
	}
	return nil
}

// Policy says which keys the leader evicts when a group is over its memory limit
// (https://redis.io/docs/latest/develop/reference/eviction/). The numbers are in logs: never change one.
type Policy uint8

// Redis's eight policies.
const (
	NoEviction Policy = iota
	AllKeysLRU
	AllKeysLFU
	AllKeysRandom
	VolatileLRU
	VolatileLFU
	VolatileRandom
	VolatileTTL
)

var policyNames = [...]string{
	"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
	"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
}

// String returns the policy's name as in CONFIG SET maxmemory-policy.
func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy %d", uint8(p))
}

// ParsePolicy is the inverse of String.
func ParsePolicy(name string) (Policy, error) {
	for i, known := range policyNames {
		if name == known {
			return Policy(i), nil
		}
	}
	return 0, fmt.Errorf("unknown eviction policy %q, use one of %q", name, policyNames)
}

// Limits bound the memory of one group.
type Limits struct {
	// MaxMemory is in bytes of logical accounting; 0 means no limit.
	MaxMemory uint64
	Policy    Policy
	// Samples is how many keys the leader looks at for one victim, 1 to MaxSamples.
	Samples uint32
}

// MaxSamples bounds Limits.Samples. 10 are already very close to true LRU, so more is hardly ever of use.
const MaxSamples = 1000

// Limit makes the op that sets a group's limits. Its arguments are MaxMemory (8 bytes, little endian), Policy (one
// byte) and Samples (4 bytes, little endian).
func Limit(l Limits) Op {
	return Op{Cmd: command.Limit, Args: [][]byte{
		binary.LittleEndian.AppendUint64(nil, l.MaxMemory),
		{byte(l.Policy)},
		binary.LittleEndian.AppendUint32(nil, l.Samples),
	}}
}

// LimitsOf reads a Limit op.
func LimitsOf(op *Op) (Limits, error) {
	if op.Cmd != command.Limit || len(op.Args) != 3 || len(op.Args[0]) != 8 || len(op.Args[1]) != 1 || len(op.Args[2]) != 4 {
		return Limits{}, fmt.Errorf("%w: %v with %d arguments is no memory limit, policy and sample count", ErrInvalid, op.Cmd, len(op.Args))
	}
	l := Limits{
		MaxMemory: binary.LittleEndian.Uint64(op.Args[0]),
		Policy:    Policy(op.Args[1][0]),
		Samples:   binary.LittleEndian.Uint32(op.Args[2]),
	}
	if int(l.Policy) >= len(policyNames) {
		return Limits{}, fmt.Errorf("%w: limit: %v is unknown", ErrInvalid, l.Policy)
	}
	if l.Samples < 1 || l.Samples > MaxSamples {
		return Limits{}, fmt.Errorf("%w: limit: %d samples, want 1 to %d", ErrInvalid, l.Samples, MaxSamples)
	}
	return l, nil
}

// checkInternal checks the arguments of the operations that clients cannot name; the machine trusts them.
func checkInternal(op *Op) error {
	switch op.Cmd {
	case command.Evict:
		return checkVictims(op)
	case command.Limit:
		_, err := LimitsOf(op)
		return err
	}
	return nil
}
