package command

// transactionSpecs: see Spec for the meaning of the fields.
var transactionSpecs = []Spec{
	{
		Name: "multi", ID: Multi, Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Home: Conn, ACL: CatTransaction,
		Group: "transactions", Since: "1.2.0", Complexity: "O(1)",
		Summary: "Starts a transaction: later commands are queued.",
	},
	{
		Name: "exec", ID: Exec, Arity: 1, Flags: NoScript | Loading | Stale | SkipSlowlog, Home: Conn, ACL: CatTransaction,
		Group: "transactions", Since: "1.2.0", Complexity: "Depends on commands in the transaction",
		Summary: "Runs the queued commands as one step, unless a watched key changed.",
	},
	{
		Name: "discard", ID: Discard, Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Home: Conn, ACL: CatTransaction,
		Group: "transactions", Since: "2.0.0", Complexity: "O(N), when N is the number of queued commands",
		Summary: "Drops the queued commands.",
	},
	{
		Name: "watch", ID: Watch, Arity: -2, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Home: Conn, ACL: CatTransaction,
		Keys:  allKeys(KeyRO),
		Group: "transactions", Since: "2.2.0", Complexity: "O(1) for every key",
		Summary: "Makes the next EXEC depend on these keys being unchanged.",
		Syntax:  "key [key ...]",
	},
	{
		Name: "unwatch", ID: Unwatch, Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Home: Conn, ACL: CatTransaction,
		Group: "transactions", Since: "2.2.0", Complexity: "O(1)",
		Summary: "Forgets the watched keys.",
	},
	{
		Name: "wait", ID: Wait, Arity: 3, Flags: Blocking, Home: Conn, ACL: CatConnection,
		Tips:  []string{"request_policy:all_shards", "response_policy:agg_min"},
		Group: "generic", Since: "3.0.0", Complexity: "O(1)",
		Summary: "Returns how many replicas hold the connection's writes; acknowledged writes are on a majority already.",
		Syntax:  "numreplicas timeout",
	},
	{
		Name: "waitaof", ID: Waitaof, Arity: 4, Flags: Blocking, Home: Conn, ACL: CatConnection,
		Tips:  []string{"request_policy:all_shards", "response_policy:agg_min"},
		Group: "generic", Since: "7.2.0", Complexity: "O(1)",
		Summary: "Returns how many members hold the connection's writes durably.",
		Syntax:  "numlocal numreplicas timeout",
	},
}
