package command

// expirySpecs: see Spec for the meaning of the fields.
var expirySpecs = []Spec{
	{
		Name: "expire", ID: Expire, Arity: -3, Flags: Write | Fast | Idempotent, ACL: CatKeyspace,
		Keys:  firstKey(KeyRW | KeyUpdate),
		Group: "generic", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Makes a key expire after the given seconds.",
		Syntax:  "key seconds [NX | XX | GT | LT]",
	},
	{
		Name: "pexpire", ID: Pexpire, Arity: -3, Flags: Write | Fast | Idempotent, ACL: CatKeyspace,
		Keys:  firstKey(KeyRW | KeyUpdate),
		Group: "generic", Since: "2.6.0", Complexity: "O(1)",
		Summary: "Makes a key expire after the given milliseconds.",
		Syntax:  "key milliseconds [NX | XX | GT | LT]",
	},
	{
		Name: "expireat", ID: Expireat, Arity: -3, Flags: Write | Fast | Idempotent, ACL: CatKeyspace,
		Keys:  firstKey(KeyRW | KeyUpdate),
		Group: "generic", Since: "1.2.0", Complexity: "O(1)",
		Summary: "Makes a key expire at a Unix time in seconds.",
		Syntax:  "key unix-time-seconds [NX | XX | GT | LT]",
	},
	{
		Name: "pexpireat", ID: Pexpireat, Arity: -3, Flags: Write | Fast | Idempotent, ACL: CatKeyspace,
		Keys:  firstKey(KeyRW | KeyUpdate),
		Group: "generic", Since: "2.6.0", Complexity: "O(1)",
		Summary: "Makes a key expire at a Unix time in milliseconds.",
		Syntax:  "key unix-time-milliseconds [NX | XX | GT | LT]",
	},
	{
		Name: "ttl", ID: Ttl, Arity: 2, Flags: ReadOnly | Fast, ACL: CatKeyspace,
		Keys:  firstKey(KeyRO | KeyAccess),
		Tips:  []string{"nondeterministic_output"},
		Group: "generic", Since: "1.0.0", Complexity: "O(1)",
		Summary: "Returns a key's remaining lifetime in seconds.",
		Syntax:  "key",
	},
	{
		Name: "pttl", ID: Pttl, Arity: 2, Flags: ReadOnly | Fast, ACL: CatKeyspace,
		Keys:  firstKey(KeyRO | KeyAccess),
		Tips:  []string{"nondeterministic_output"},
		Group: "generic", Since: "2.6.0", Complexity: "O(1)",
		Summary: "Returns a key's remaining lifetime in milliseconds.",
		Syntax:  "key",
	},
	{
		Name: "expiretime", ID: Expiretime, Arity: 2, Flags: ReadOnly | Fast, ACL: CatKeyspace,
		Keys:  firstKey(KeyRO | KeyAccess),
		Group: "generic", Since: "7.0.0", Complexity: "O(1)",
		Summary: "Returns the Unix time, in seconds, at which a key expires.",
		Syntax:  "key",
	},
	{
		Name: "pexpiretime", ID: Pexpiretime, Arity: 2, Flags: ReadOnly | Fast, ACL: CatKeyspace,
		Keys:  firstKey(KeyRO | KeyAccess),
		Group: "generic", Since: "7.0.0", Complexity: "O(1)",
		Summary: "Returns the Unix time, in milliseconds, at which a key expires.",
		Syntax:  "key",
	},
	{
		Name: "persist", ID: Persist, Arity: 2, Flags: Write | Fast | Idempotent, ACL: CatKeyspace,
		Keys:  firstKey(KeyRW | KeyUpdate),
		Group: "generic", Since: "2.2.0", Complexity: "O(1)",
		Summary: "Removes a key's expiry.",
		Syntax:  "key",
	},
}
