package entry

// What an op, its transaction, each argument and each watch take in an entry beside their bytes, at most: command ids, counts,
// lengths and versions are uvarints.
const (
	opOverhead    = 3 + 3
	txOverhead    = 3 + 4
	argOverhead   = 4
	watchOverhead = argOverhead + 10
)

// Size is the most bytes that the op takes in an entry, and but for a few of them what it does.
func (op *Op) Size() int {
	size := opOverhead
	for _, arg := range op.Args {
		size += argOverhead + len(arg)
	}
	if op.Tx == nil {
		return size
	}
	size += txOverhead
	for i := range op.Tx.Watches {
		size += watchOverhead + len(op.Tx.Watches[i].Key)
	}
	for i := range op.Tx.Ops {
		size += op.Tx.Ops[i].Size()
	}
	return size
}
