package command

// ID is a command's number in log entries. Ids are for ever: one that was released is never given to
// another command, because old logs and snapshots hold it.
type ID uint16

// String returns the command's name, for messages.
func (id ID) String() string {
	if s := ByID(id); s != nil {
		return s.Name
	}
	return "unknown command"
}

// Home is where a command is executed.
type Home uint8

const (
	// Keyed commands run in the machine of the group that owns their keys' slot.
	Keyed Home = iota
	// Node commands run on every group that this node leads, and the replies are merged (DBSIZE, KEYS, SCAN,
	// FLUSHALL, RANDOMKEY, CLUSTER COUNTKEYSINSLOT).
	Node
	// Conn commands touch only the connection or the server (PING, CLIENT, CLUSTER, INFO, MULTI).
	Conn
	// Internal operations come from the group's leader; clients cannot name them.
	Internal
)

// Spec describes one command, or one subcommand of a container command (CLIENT, OBJECT, …).
//
// Wherever functions of this package take args, these are the arguments after the command's words: for
// "OBJECT ENCODING k" only k. Log entries hold them in the same form.
type Spec struct {
	// Name is in lower case; a subcommand's is "container|subcommand", as Redis writes it.
	Name string
	ID   ID
	// Arity counts all words, the command's own included; negative: at least that many.
	Arity int
	Flags Flags
	Home  Home
	// ACL holds the categories that Flags do not imply; Categories returns all.
	ACL Category
	// Keys is in order of position. Commands that find keys by a number among their arguments come with the
	// data types that have such commands.
	Keys []KeySpec
	// Tips tell cluster clients how to spread a command over nodes and to join the replies.
	Tips []string

	// What COMMAND DOCS tells. Syntax is the form of the arguments in the notation of the Redis manual, which
	// arguments.go reads. Deprecated is a version.
	Group, Since, Complexity, Summary, Syntax string
	Deprecated, ReplacedBy                    string
	// Syscmd marks commands that are not meant for applications.
	Syscmd bool

	Subcommands []Spec

	// Set by index. span covers all of Keys; words is the number of words that name the command.
	span       KeySpec
	words      int
	subs       map[string]*Spec
	categories Category
}

// Words returns how many words name the command: 2 for a subcommand, else 1.
func (s *Spec) Words() int { return s.words }

// Has reports whether the command has all of the flags.
func (s *Spec) Has(f Flags) bool { return s.Flags&f == f }

// ArityOK reports whether args, which exclude the command's words, are as many as the command takes.
func (s *Spec) ArityOK(args int) bool {
	if s.Arity < 0 {
		return args+s.words >= -s.Arity
	}
	return args+s.words == s.Arity
}

// Categories returns the command's ACL categories, those that its flags imply included.
func (s *Spec) Categories() Category { return s.categories }
