package command

import "iter"

// Flags are a command's properties, named as COMMAND INFO prints them.
type Flags uint32

// The flags that Redis clients read, in the order in which Redis prints them, and after them Quorate's own.
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
	SkipSlowlog
	Fast
	NoAuth
	NoAsyncLoading
	NoMulti
	AllowBusy

	// Idempotent marks a write whose repetition leaves the same state and reply class (SET, DEL; not INCR).
	Idempotent
)

var flagNames = []string{
	"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking", "loading", "stale",
	"skip_slowlog", "fast", "no_auth", "no_async_loading", "no_multi", "allow_busy",
}

// Category is a set of ACL categories.
type Category uint32

// The categories that commands here have, in the order in which Redis prints them.
const (
	CatKeyspace Category = 1 << iota
	CatRead
	CatWrite
	CatString
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
)

var categoryNames = []string{
	"@keyspace", "@read", "@write", "@string", "@pubsub", "@admin", "@fast", "@slow", "@blocking",
	"@dangerous", "@connection", "@transaction",
}

// implied returns the categories that follow from flags, by Redis's rule (setImplicitACLCategories).
func implied(f Flags) Category {
	c := CatSlow
	if f&Fast != 0 {
		c = CatFast
	}
	for _, rule := range []struct {
		flag Flags
		cat  Category
	}{
		{Write, CatWrite},
		{ReadOnly, CatRead},
		{Admin, CatAdmin | CatDangerous},
		{PubSub, CatPubSub},
		{Blocking, CatBlocking},
	} {
		if f&rule.flag != 0 {
			c |= rule.cat
		}
	}
	return c
}

// KeyFlags say what a command does with a key, named as COMMAND GETKEYSANDFLAGS prints them.
type KeyFlags uint16

// Exactly one of RO, RW, OW and RM is set: read, read and write, overwrite, remove. The others say what happens
// to the user's data.
const (
	KeyRO KeyFlags = 1 << iota
	KeyRW
	KeyOW
	KeyRM
	KeyAccess
	KeyUpdate
	KeyInsert
	KeyDelete
	// KeyVariable means that the arguments decide; the other flags are the worst case.
	KeyVariable
)

var keyFlagNames = []string{"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "variable_flags"}

// named yields the names of the bits set, of those that have a name, in order.
func named[B ~uint16 | ~uint32](set B, names []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, name := range names {
			if set&(1<<i) != 0 && !yield(name) {
				return
			}
		}
	}
}
