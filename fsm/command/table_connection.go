package command

// connectionSpecs: see Spec for the meaning of the fields.
var connectionSpecs = []Spec{
	{
		Name: "auth", ID: Auth, Arity: -2, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Home: Conn, ACL: CatConnection,
		Group: "connection", Since: "1.0.0", Complexity: "O(N) where N is the number of passwords defined for the user",
		Summary: "Authenticates the connection.",
		Syntax:  "[username] password",
	},
	{
		Name: "hello", ID: Hello, Arity: -1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Home: Conn, ACL: CatConnection,
		Group: "connection", Since: "6.0.0", Complexity: "O(1)",
		Summary: "Chooses the protocol version, and authenticates and names the connection on the way.",
		Syntax:  "[protover [AUTH username password] [SETNAME clientname]]",
	},
	{
		Name: "ping", ID: Ping, Arity: -1, Flags: Fast, Home: Conn, ACL: CatConnection,
		Tips:  []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		Group: "connection", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Returns PONG or its argument.",
		Syntax:  "[message]",
	},
	{
		Name: "echo", ID: Echo, Arity: 2, Flags: Loading | Stale | Fast, Home: Conn, ACL: CatConnection,
		Group: "connection", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Returns its argument.",
		Syntax:  "message",
	},
	{
		Name: "select", ID: Select, Arity: 2, Flags: Loading | Stale | Fast, Home: Conn, ACL: CatConnection,
		Group: "connection", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Selects a database; a cluster has only database 0.",
		Syntax:  "index",
	},
	{
		Name: "reset", ID: Reset, Arity: 1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Home: Conn, ACL: CatConnection,
		Group: "connection", Since: "6.2.0", Complexity: "O(1)",
		Summary: "Puts the connection back to its initial state.",
	},
	{
		Name: "quit", ID: Quit, Arity: -1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Home: Conn, ACL: CatConnection,
		Group: "connection", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Closes the connection.",
	},
	{
		Name: "client", ID: Client, Arity: -2, Home: Conn,
		Group: "connection", Since: "2.4.0", Complexity: "Depends on subcommand",
		Summary: "Client connections: list, name, kill, pause, track.",
		Subcommands: []Spec{
			{
				Name: "client|caching", ID: ClientCaching, Arity: 3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "6.0.0", Complexity: "O(1)",
				Summary: "Says whether the next command's keys are tracked.",
				Syntax:  "<YES | NO>",
			},
			{
				Name: "client|capa", ID: ClientCapa, Arity: -3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "8.0.0", Complexity: "O(1)",
				Summary: "Records what the client is able to handle.",
				Syntax:  "capability [capability ...]",
			},
			{
				Name: "client|getname", ID: ClientGetname, Arity: 2, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "2.6.9", Complexity: "O(1)",
				Summary: "Returns the connection's name.",
			},
			{
				Name: "client|getredir", ID: ClientGetredir, Arity: 2, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "6.0.0", Complexity: "O(1)",
				Summary: "Returns the client id that invalidations go to.",
			},
			{
				Name: "client|help", ID: ClientHelp, Arity: 2, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "5.0.0", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "client|id", ID: ClientId, Arity: 2, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "5.0.0", Complexity: "O(1)",
				Summary: "Returns the connection's id.",
			},
			{
				Name: "client|info", ID: ClientInfo, Arity: 2, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Tips:  []string{"nondeterministic_output"},
				Group: "connection", Since: "6.2.0", Complexity: "O(1)",
				Summary: "Describes the current connection.",
			},
			{
				Name: "client|kill", ID: ClientKill, Arity: -3, Flags: Admin | NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "2.4.0", Complexity: "O(N) where N is the number of client connections",
				Summary: "Closes connections.",
				Syntax:  "<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes/no]>",
			},
			{
				Name: "client|list", ID: ClientList, Arity: -2, Flags: Admin | NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Tips:  []string{"nondeterministic_output"},
				Group: "connection", Since: "2.4.0", Complexity: "O(N) where N is the number of client connections",
				Summary: "Lists connections.",
				Syntax:  "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
			},
			{
				Name: "client|maint_notifications", ID: ClientMaintNotifications, Arity: -3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "8.2.0", Complexity: "O(1)",
				Summary: "Switches notices about planned maintenance on or off.",
				Syntax:  "<ON | OFF> [MOVING-ENDPOINT-TYPE endpoint-type]",
			},
			{
				Name: "client|no-evict", ID: ClientNoEvict, Arity: 3, Flags: Admin | NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "7.0.0", Complexity: "O(1)",
				Summary: "Exempts the connection from eviction of clients.",
				Syntax:  "<ON | OFF>",
			},
			{
				Name: "client|no-touch", ID: ClientNoTouch, Arity: 3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "7.2.0", Complexity: "O(1)",
				Summary: "Keeps the connection's reads from counting as use of the keys.",
				Syntax:  "<ON | OFF>",
			},
			{
				Name: "client|pause", ID: ClientPause, Arity: -3, Flags: Admin | NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "2.9.50", Complexity: "O(1)",
				Summary: "Holds back the commands of all clients for a time.",
				Syntax:  "timeout [WRITE | ALL]",
			},
			{
				Name: "client|reply", ID: ClientReply, Arity: 3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "3.2.0", Complexity: "O(1)",
				Summary: "Switches replies off, on, or off for one command.",
				Syntax:  "<ON | OFF | SKIP>",
			},
			{
				Name: "client|setinfo", ID: ClientSetinfo, Arity: 4, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Tips:  []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Group: "connection", Since: "7.2.0", Complexity: "O(1)",
				Summary: "Records the name or version of the client's library.",
				Syntax:  "<LIB-NAME libname | LIB-VER libver>",
			},
			{
				Name: "client|setname", ID: ClientSetname, Arity: 3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "2.6.9", Complexity: "O(1)",
				Summary: "Names the connection.",
				Syntax:  "connection-name",
			},
			{
				Name: "client|tracking", ID: ClientTracking, Arity: -3, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "6.0.0", Complexity: "O(1). Some options may introduce additional complexity",
				Summary: "Switches invalidation messages for cached keys on or off.",
				Syntax:  "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
			},
			{
				Name: "client|trackinginfo", ID: ClientTrackinginfo, Arity: 2, Flags: NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "6.2.0", Complexity: "O(1)",
				Summary: "Returns the state of the connection's key tracking.",
			},
			{
				Name: "client|unblock", ID: ClientUnblock, Arity: -3, Flags: Admin | NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "5.0.0", Complexity: "O(log N) where N is the number of client connections",
				Summary: "Ends a blocking command of another connection.",
				Syntax:  "client-id [TIMEOUT | ERROR]",
			},
			{
				Name: "client|unpause", ID: ClientUnpause, Arity: 2, Flags: Admin | NoScript | Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "connection", Since: "6.2.0", Complexity: "O(N) Where N is the number of paused clients",
				Summary: "Ends CLIENT PAUSE.",
			},
		},
	},
	{
		Name: "readonly", ID: Readonly, Arity: 1, Flags: Loading | Stale | Fast, Home: Conn, ACL: CatConnection,
		Group: "cluster", Since: "3.0.0", Complexity: "O(1)",
		Summary: "Lets the connection read keys whose leader is another node.",
	},
	{
		Name: "readwrite", ID: Readwrite, Arity: 1, Flags: Loading | Stale | Fast, Home: Conn, ACL: CatConnection,
		Group: "cluster", Since: "3.0.0", Complexity: "O(1)",
		Summary: "Ends READONLY.",
	},
	{
		Name: "asking", ID: Asking, Arity: 1, Flags: Fast, Home: Conn, ACL: CatConnection,
		Group: "cluster", Since: "3.0.0", Complexity: "O(1)",
		Summary: "Lets the next command reach a slot that is being taken over.",
	},
	{
		Name: "subscribe", ID: Subscribe, Arity: -2, Flags: PubSub | NoScript | Loading | Stale, Home: Conn,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of channels to subscribe to",
		Summary: "Receives the messages of channels; here only __redis__:invalidate has any.",
		Syntax:  "channel [channel ...]",
	},
	{
		Name: "unsubscribe", ID: Unsubscribe, Arity: -1, Flags: PubSub | NoScript | Loading | Stale, Home: Conn,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of clients already subscribed to a channel",
		Summary: "Ends SUBSCRIBE.",
		Syntax:  "[channel [channel ...]]",
	},
}
