package load

import (
	"context"
	"errors"

	"github.com/quorate/quorate/client"
)

// keyspace holds the numbers of the keys that one node owns.
type keyspace struct {
	present []uint32
	absent  []uint32
}

// minAbsent keys are enough for every node of a cluster to own some.
const minAbsent = 4096

// ownedKeys sorts the key space by the node that owns each key; a Store owns all, under the name "".
func ownedKeys(ctx context.Context, p Plan) (map[string]*keyspace, error) {
	owner := func([]byte) string { return "" }
	if p.Open == nil {
		c := client.NewCluster(p.Seeds, client.Options{Password: p.Password})
		defer c.Close()
		if err := c.Refresh(ctx); err != nil {
			return nil, err
		}
		owner = func(key []byte) string { return c.Owner(string(key)) }
	}
	keys := map[string]*keyspace{}
	var b []byte
	of := func(k kind, n uint32) *keyspace {
		b = appendKey(b[:0], k, n, p.KeySize)
		addr := owner(b)
		if keys[addr] == nil {
			keys[addr] = &keyspace{}
		}
		return keys[addr]
	}
	for n := range uint32(p.Keys) {
		k := of(present, n)
		k.present = append(k.present, n)
	}
	if p.Absent > 0 {
		for n := range uint32(max(minAbsent, int(float64(p.Keys)*p.Absent))) {
			k := of(absent, n)
			k.absent = append(k.absent, n)
		}
	}
	if keys[""] != nil && p.Open == nil {
		return nil, errors.New("the slot map has holes: wait until the cluster is complete")
	}
	return keys, nil
}
