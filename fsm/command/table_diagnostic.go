package command

// diagnosticSpecs: see Spec for the meaning of the fields.
var diagnosticSpecs = []Spec{
	{
		Name: "slowlog", ID: Slowlog, Arity: -2, Home: Conn,
		Group: "server", Since: "2.2.12", Complexity: "Depends on subcommand",
		Summary: "The log of slow commands.",
		Subcommands: []Spec{
			{
				Name: "slowlog|get", ID: SlowlogGet, Arity: -2, Flags: Admin | Loading | Stale, Home: Conn,
				Tips:  []string{"request_policy:all_nodes", "nondeterministic_output"},
				Group: "server", Since: "2.2.12", Complexity: "O(N) where N is the number of entries returned",
				Summary: "Returns entries of the slow log.",
				Syntax:  "[count]",
			},
			{
				Name: "slowlog|help", ID: SlowlogHelp, Arity: 2, Flags: Loading | Stale, Home: Conn,
				Group: "server", Since: "6.2.0", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "slowlog|len", ID: SlowlogLen, Arity: 2, Flags: Admin | Loading | Stale, Home: Conn,
				Tips:  []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
				Group: "server", Since: "2.2.12", Complexity: "O(1)",
				Summary: "Counts the entries of the slow log.",
			},
			{
				Name: "slowlog|reset", ID: SlowlogReset, Arity: 2, Flags: Admin | Loading | Stale, Home: Conn,
				Tips:  []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Group: "server", Since: "2.2.12", Complexity: "O(N) where N is the number of entries in the slowlog",
				Summary: "Empties the slow log.",
			},
		},
	},
	{
		Name: "latency", ID: Latency, Arity: -2, Home: Conn,
		Group: "server", Since: "2.8.13", Complexity: "Depends on subcommand",
		Summary: "Latency diagnostics.",
		Subcommands: []Spec{
			{
				Name: "latency|doctor", ID: LatencyDoctor, Arity: 2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Explains the latencies that were seen.",
			},
			{
				Name: "latency|graph", ID: LatencyGraph, Arity: 3, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Draws the latencies of an event.",
				Syntax:  "event",
			},
			{
				Name: "latency|help", ID: LatencyHelp, Arity: 2, Flags: Loading | Stale, Home: Conn,
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Describes the subcommands.",
			},
			{
				Name: "latency|histogram", ID: LatencyHistogram, Arity: -2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Group: "server", Since: "7.0.0", Complexity: "O(N) where N is the number of commands with latency information being retrieved",
				Summary: "Returns the distribution of commands' latencies.",
				Syntax:  "[command [command ...]]",
			},
			{
				Name: "latency|history", ID: LatencyHistory, Arity: 3, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Returns an event's latencies with their times.",
				Syntax:  "event",
			},
			{
				Name: "latency|latest", ID: LatencyLatest, Arity: 2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Returns the latest latency of each event.",
			},
			{
				Name: "latency|reset", ID: LatencyReset, Arity: -2, Flags: Admin | NoScript | Loading | Stale, Home: Conn,
				Tips:  []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Group: "server", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Forgets latencies of events.",
				Syntax:  "[event [event ...]]",
			},
		},
	},
}
