package command

// ID is a command's number in log entries. Ids are for ever: one that was released is never given to
// another command, because old logs and snapshots hold it.
type ID uint16

// Flags are a command's properties, named as COMMAND INFO prints them.
type Flags uint32

// The flags that Redis clients read, and after them Quorate's own.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	NoAuth
	Fast
	MovableKeys
	NoMulti
	AllowBusy

	// Idempotent marks a write whose repetition leaves the same state and reply class (SET, DEL; not INCR).
	Idempotent
)

// Home is where a command is executed.
type Home uint8

const (
	// Keyed commands run in the machine of the group that owns their keys' slot.
	Keyed Home = iota
	// Node commands run on every group that this node leads (DBSIZE, KEYS, SCAN, FLUSHALL, RANDOMKEY).
	Node
	// Conn commands touch only the connection or the server (PING, CLIENT, CLUSTER, INFO, MULTI).
	Conn
)

// KeySpec locates keys: arguments First, First+Step, … Last, counted from the command name at 0. Last < 0 counts
// from the end (-1 is the last argument). First 0 means: no keys.
type KeySpec struct{ First, Last, Step int }
