package entry

import "errors"

// Limits of one entry; over them it is neither encoded nor decoded.
const (
	// MaxArgs is the number of arguments of one op, as many as Redis accepts.
	MaxArgs = 1 << 20
	// MaxArg is the length of one argument in bytes: Redis's proto-max-bulk-len.
	MaxArg = 512 << 20
	// MaxWatches is the number of keys that one transaction may watch.
	MaxWatches = 1 << 20
	// MaxBytes is the length of an encoded entry.
	MaxBytes = 1 << 30
)

var (
	// ErrCorrupt: the bytes are not an entry that this package wrote.
	ErrCorrupt = errors.New("corrupt entry")
	// ErrVersion: the bytes are an entry in a format that this build does not know.
	ErrVersion = errors.New("unknown entry version")
	// ErrTooLarge: the op passes a limit, or does not fit into this entry any more.
	ErrTooLarge = errors.New("op too large")
	// ErrInvalid: the op can never be executed, so it must not reach the log. It is the caller's mistake.
	ErrInvalid = errors.New("invalid op")
)
