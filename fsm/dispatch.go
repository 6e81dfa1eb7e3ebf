package fsm

import (
	"fmt"

	"github.com/quorate/quorate/fsm/command"
)

// operation is what the machine knows of a command beyond its spec: how to execute it.
type operation struct {
	spec *command.Spec
	run  func(*call)
	// keyed operations run on the slot of their keys, under its lock; others on the machine, and lock what they touch.
	keyed   bool
	write   bool
	denyOOM bool
	// firstKey is where in the arguments of a keyed operation the first key is.
	firstKey int
	// quick reads take little time per key: Redis's flag fast. With one argument, that is the key.
	quick bool
}

// operations is indexed by command id. Data types add theirs in files of their own, through keyed.
var operations = buildOperations()

func buildOperations() []operation {
	var table []operation
	add := func(id command.ID, run func(*call)) {
		spec := command.ByID(id)
		for len(table) <= int(id) {
			table = append(table, operation{})
		}
		table[id] = operation{
			spec: spec, run: run, keyed: len(spec.Keys) > 0, firstKey: spec.FirstKey(),
			write: spec.Has(command.Write), denyOOM: spec.Has(command.DenyOOM),
			quick: len(spec.Keys) > 0 && spec.Has(command.ReadOnly|command.Fast),
		}
	}
	for _, part := range []map[command.ID]func(*call){stringOperations, genericOperations, machineOperations} {
		for id, run := range part {
			add(id, run)
		}
	}
	return table
}

var stringOperations = map[command.ID]func(*call){
	command.Get:         cmdGet,
	command.Set:         cmdSet,
	command.Setnx:       cmdSetNX,
	command.Setex:       cmdSetEX,
	command.Psetex:      cmdPSetEX,
	command.Getset:      cmdGetSet,
	command.Getdel:      cmdGetDel,
	command.Getex:       cmdGetEX,
	command.Mget:        cmdMGet,
	command.Mset:        cmdMSet,
	command.Msetnx:      cmdMSetNX,
	command.Incr:        cmdIncr,
	command.Decr:        cmdDecr,
	command.Incrby:      cmdIncrBy,
	command.Decrby:      cmdDecrBy,
	command.Incrbyfloat: cmdIncrByFloat,
	command.Append:      cmdAppend,
	command.Strlen:      cmdStrlen,
	command.Getrange:    cmdGetRange,
	command.Substr:      cmdGetRange,
	command.Setrange:    cmdSetRange,
	command.Lcs:         cmdLCS,
}

var genericOperations = map[command.ID]func(*call){
	command.Del:            cmdDel,
	command.Unlink:         cmdDel,
	command.Exists:         cmdExists,
	command.Touch:          cmdTouch,
	command.Type:           cmdType,
	command.Rename:         cmdRename,
	command.Renamenx:       cmdRenameNX,
	command.Copy:           cmdCopy,
	command.Expire:         cmdExpire,
	command.Pexpire:        cmdPExpire,
	command.Expireat:       cmdExpireAt,
	command.Pexpireat:      cmdPExpireAt,
	command.Ttl:            cmdTTL,
	command.Pttl:           cmdPTTL,
	command.Expiretime:     cmdExpireTime,
	command.Pexpiretime:    cmdPExpireTime,
	command.Persist:        cmdPersist,
	command.Watch:          cmdWatch,
	command.ObjectEncoding: cmdObjectEncoding,
	command.ObjectFreq:     cmdObjectFreq,
	command.ObjectIdletime: cmdObjectIdletime,
	command.ObjectRefcount: cmdObjectRefcount,
	command.MemoryUsage:    cmdMemoryUsage,
}

var machineOperations = map[command.ID]func(*call){
	command.Keys:                   cmdKeys,
	command.Scan:                   cmdScan,
	command.Randomkey:              cmdRandomKey,
	command.Dbsize:                 cmdDBSize,
	command.Flushall:               cmdFlush,
	command.Flushdb:                cmdFlush,
	command.ClusterCountkeysinslot: cmdCountKeysInSlot,
	command.ClusterGetkeysinslot:   cmdGetKeysInSlot,
	command.Evict:                  cmdEvict,
	command.Limit:                  cmdLimit,
}

// operationOf finds how to execute a command. An unknown one stops the process: an entry that this version cannot
// execute was written by a newer one, and going on without it would let replicas differ.
func operationOf(id command.ID) *operation {
	if int(id) < len(operations) {
		if o := &operations[id]; o.run != nil {
			return o
		}
	}
	panic(fmt.Sprintf("fsm: %v (id %d) cannot be executed here: a newer version logged it, or the front end let it through", id, id))
}

// Executes reports whether the machine executes a command: every other must be answered before it.
func Executes(id command.ID) bool {
	return id == command.Exec || int(id) < len(operations) && operations[id].run != nil
}
