package entry

import "errors"

// Limits of one entry; over them it is neither encoded nor decoded.
const (
	// MaxArgs is the number of arguments of one op, as many as Redis accepts.
	MaxArgs = 1 << 20
	// MaxWatches is the number of keys that one transaction may watch.
	MaxWatches = 1 << 20
)

// Limits in bytes of what is encoded. An entry goes to each replica in one message and to the disk in one record: one that a
// leader could store and not send would stop its group's writes for good. So the limits of messages and records follow from these.
const (
	// MaxBytes is the length of an entry, Envelope what Raft, the network and the disk may add to it.
	MaxBytes = 64<<20 - Envelope
	Envelope = 64 << 10
	// MaxOp is the Size of a client's op. It leaves 1 MiB for what the leader logs ahead of it: without the evictions that make
	// room for an op, it could not be executed.
	MaxOp = MaxBytes - 1<<20
	// MaxArg is the length of an argument that a client may send. It leaves room in MaxOp for the others: the key, options.
	MaxArg = 60 << 20
)

// Limits in bytes of what is decoded: earlier versions have logged entries as large as these.
const (
	maxDecoded    = 1 << 30
	maxDecodedArg = 512 << 20
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
