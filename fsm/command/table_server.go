package command

// serverSpecs: see Spec for the meaning of the fields.
var serverSpecs = []Spec{
	{
		Name: "command", ID: Command, Arity: -1, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
		Tips:  []string{"nondeterministic_output_order"},
		Group: "server", Since: "2.8.13", Complexity: "O(N) where N is the total number of Redis commands",
		Summary: "Describes all commands.",
		Subcommands: []Spec{
			{
				Name: "command|count", ID: CommandCount, Arity: 2, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Counts the commands.",
			},
			{
				Name: "command|docs", ID: CommandDocs, Arity: -2, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Tips:  []string{"nondeterministic_output_order"},
				Group: "server", Since: "7.0.0", Complexity: "O(N) where N is the number of commands to look up",
				Summary: "Returns the documentation of commands.",
				Syntax:  "[command-name [command-name ...]]",
			},
			{
				Name: "command|getkeys", ID: CommandGetkeys, Arity: -4, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "server", Since: "2.8.13", Complexity: "O(N) where N is the number of arguments to the command",
				Summary: "Returns the keys in a full command.",
				Syntax:  "command [arg [arg ...]]",
			},
			{
				Name: "command|getkeysandflags", ID: CommandGetkeysandflags, Arity: -4, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "server", Since: "7.0.0", Complexity: "O(N) where N is the number of arguments to the command",
				Summary: "Returns the keys in a full command and how they are used.",
				Syntax:  "command [arg [arg ...]]",
			},
			{
				Name: "command|help", ID: CommandHelp, Arity: 2, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Group: "server", Since: "5.0.0", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "command|info", ID: CommandInfo, Arity: -2, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Tips:  []string{"nondeterministic_output_order"},
				Group: "server", Since: "2.8.13", Complexity: "O(N) where N is the number of commands to look up",
				Summary: "Describes the given commands, or all.",
				Syntax:  "[command-name [command-name ...]]",
			},
			{
				Name: "command|list", ID: CommandList, Arity: -2, Flags: Loading | Stale, Home: Conn, ACL: CatConnection,
				Tips:  []string{"nondeterministic_output_order"},
				Group: "server", Since: "7.0.0", Complexity: "O(N) where N is the total number of Redis commands",
				Summary: "Lists the names of commands.",
				Syntax:  "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
			},
		},
	},
	{
		Name: "config", ID: Config, Arity: -2, Home: Conn,
		Group: "server", Since: "2.0.0", Complexity: "Depends on subcommand",
		Summary: "Reads and changes the server's configuration.",
		Subcommands: []Spec{
			{
				Name: "config|get", ID: ConfigGet, Arity: -3, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Group: "server", Since: "2.0.0", Complexity: "O(N) when N is the number of configuration parameters provided",
				Summary: "Returns parameters whose names match patterns.",
				Syntax:  "parameter [parameter ...]",
			},
			{
				Name: "config|help", ID: ConfigHelp, Arity: 2, Flags: Loading | Stale, Home: Conn,
				Group: "server", Since: "5.0.0", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "config|resetstat", ID: ConfigResetstat, Arity: 2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Group: "server", Since: "2.0.0", Complexity: "O(1)",
				Summary: "Sets the counters that INFO shows to zero.",
			},
			{
				Name: "config|rewrite", ID: ConfigRewrite, Arity: 2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Group: "server", Since: "2.8.0", Complexity: "O(1)",
				Summary: "Writes the running configuration to its file.",
			},
			{
				Name: "config|set", ID: ConfigSet, Arity: -4, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Group: "server", Since: "2.0.0", Complexity: "O(N) when N is the number of configuration parameters provided",
				Summary: "Changes parameters.",
				Syntax:  "parameter value [parameter value ...]",
			},
		},
	},
	{
		Name: "info", ID: Info, Arity: -1, Flags: Loading | Stale, Home: Conn, ACL: CatDangerous,
		Tips:  []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
		Group: "server", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Returns facts and figures about the server.",
		Syntax:  "[section [section ...]]",
	},
	{
		Name: "role", ID: Role, Arity: 1, Flags: NoScript | Loading | Stale | Fast, Home: Conn, ACL: CatAdmin | CatDangerous,
		Group: "server", Since: "2.8.12", Complexity: "O(1)",
		Summary: "Returns the server's role in replication.",
	},
	{
		Name: "time", ID: Time, Arity: 1, Flags: Loading | Stale | Fast, Home: Conn,
		Tips:  []string{"nondeterministic_output"},
		Group: "server", Since: "2.6.0", Complexity: "O(1)",
		Summary: "Returns the server's clock.",
	},
	{
		Name: "lastsave", ID: Lastsave, Arity: 1, Flags: Loading | Stale | Fast, Home: Conn, ACL: CatAdmin | CatDangerous,
		Tips:  []string{"nondeterministic_output"},
		Group: "server", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Returns the Unix time of the last snapshot.",
	},
	{
		Name: "debug", ID: Debug, Arity: -2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
		Group: "server", Since: "1.0.0", Complexity: "Depends on subcommand", Syscmd: true,
		Summary: "Debugging aids for tests.",
		Syntax:  "subcommand [arg [arg ...]]",
	},
	{
		Name: "shutdown", ID: Shutdown, Arity: -1, Flags: Admin | NoScript | Loading | Stale | NoMulti | AllowBusy, Home: Conn,
		Group: "server", Since: "1.0.0", Complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
		Summary: "Stops the server.",
		Syntax:  "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
	},
	{
		Name: "memory", ID: Memory, Arity: -2, Home: Conn,
		Group: "server", Since: "4.0.0", Complexity: "Depends on subcommand",
		Summary: "Memory diagnostics.",
		Subcommands: []Spec{
			{
				Name: "memory|doctor", ID: MemoryDoctor, Arity: 2, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Group: "server", Since: "4.0.0", Complexity: "O(1)",
				Summary: "Reports memory problems.",
			},
			{
				Name: "memory|help", ID: MemoryHelp, Arity: 2, Flags: Loading | Stale, Home: Conn,
				Group: "server", Since: "4.0.0", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "memory|malloc-stats", ID: MemoryMallocStats, Arity: 2, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Group: "server", Since: "4.0.0", Complexity: "Depends on how much memory is allocated, could be slow",
				Summary: "Returns statistics of the allocator.",
			},
			{
				Name: "memory|purge", ID: MemoryPurge, Arity: 2, Home: Conn,
				Tips:  []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Group: "server", Since: "4.0.0", Complexity: "Depends on how much memory is allocated, could be slow",
				Summary: "Asks the allocator to give unused memory back.",
			},
			{
				Name: "memory|stats", ID: MemoryStats, Arity: 2, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Group: "server", Since: "4.0.0", Complexity: "O(1)",
				Summary: "Returns memory figures of the server.",
			},
			{
				Name: "memory|usage", ID: MemoryUsage, Arity: -3, Flags: ReadOnly,
				Keys:  []KeySpec{{First: 2, Last: 2, Step: 1, Flags: KeyRO}},
				Group: "server", Since: "4.0.0", Complexity: "O(N) where N is the number of samples",
				Summary: "Estimates the bytes that a key and its value take.",
				Syntax:  "key [SAMPLES count]",
			},
		},
	},
	{
		Name: "module", ID: Module, Arity: -2, Home: Conn,
		Group: "server", Since: "4.0.0", Complexity: "Depends on subcommand",
		Summary: "Modules; there are none.",
		Subcommands: []Spec{
			{
				Name: "module|help", ID: ModuleHelp, Arity: 2, Flags: Loading | Stale, Home: Conn,
				Group: "server", Since: "5.0.0", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "module|list", ID: ModuleList, Arity: 2, Flags: Admin | NoScript, Home: Conn,
				Tips:  []string{"nondeterministic_output_order"},
				Group: "server", Since: "4.0.0", Complexity: "O(N) where N is the number of loaded modules",
				Summary: "Lists the loaded modules.",
			},
		},
	},
	{
		Name: "quorate", ID: Quorate, Arity: -2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
		Tips:  []string{"request_policy:special"},
		Group: "cluster", Since: "0.1.0", Complexity: "Depends on the verb",
		Summary: "Administration of the cluster: QUORATE verb, answered in JSON.",
		Syntax:  "verb [argument [argument ...]]",
	},
}
