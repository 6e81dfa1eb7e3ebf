package node_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/quorate/quorate/fsm/slot"
)

// slotKeys are one key for every slot.
func slotKeys() []string {
	keys := make([]string, slot.Count)
	for i, found := 0, 0; found < slot.Count; i++ {
		key := "k" + strconv.Itoa(i)
		if s := slot.Of([]byte(key)); keys[s] == "" {
			keys[s] = key
			found++
		}
	}
	return keys
}

func TestGoRedisOverAllSlots(t *testing.T) {
	l, _ := startLocal(t, nil)
	keys := slotKeys()
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", proto), func(t *testing.T) {
			rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: l.Addrs()[:1], Protocol: proto})
			defer rdb.Close()
			goRedisAllSlots(t, rdb, keys, proto)
			goRedisTx(t, rdb, proto)
		})
	}
}

// goRedisAllSlots writes and reads a key of every slot, a thousand to a pipeline.
func goRedisAllSlots(t *testing.T, rdb *redis.ClusterClient, keys []string, proto int) {
	ctx := t.Context()
	for i := 0; i < len(keys); i += 1000 {
		part := keys[i:min(i+1000, len(keys))]
		cmds, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, k := range part {
				p.Set(ctx, k, k+strconv.Itoa(proto), time.Hour)
				p.Get(ctx, k)
				p.TTL(ctx, k)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for j, k := range part {
			if got := cmds[3*j+1].(*redis.StringCmd).Val(); got != k+strconv.Itoa(proto) {
				t.Fatalf("slot %d: GET after SET in one pipeline gave %q", i+j, got)
			}
			if ttl := cmds[3*j+2].(*redis.DurationCmd).Val(); ttl <= 0 || ttl > time.Hour {
				t.Fatalf("slot %d: TTL is %v", i+j, ttl)
			}
		}
	}
	var total int64
	err := rdb.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		return node.DBSize(ctx).Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if total, err = rdb.DBSize(ctx).Result(); err != nil || total < slot.Count {
		t.Fatalf("DBSIZE over all masters is %d, %v, want at least %d", total, err, slot.Count)
	}
}

// goRedisTx increments a counter by WATCH, MULTI and EXEC from two sides; optimistic locking must lose no increment.
func goRedisTx(t *testing.T, rdb *redis.ClusterClient, proto int) {
	ctx, key := t.Context(), fmt.Sprint("tx", proto)
	increment := func() error {
		for {
			err := rdb.Watch(ctx, func(tx *redis.Tx) error {
				n, err := tx.Get(ctx, key).Int()
				if err != nil && err != redis.Nil {
					return err
				}
				_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.Set(ctx, key, n+1, 0)
					return nil
				})
				return err
			}, key)
			if err != redis.TxFailedErr {
				return err
			}
		}
	}
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			var err error
			for range 25 {
				if err = increment(); err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if n, err := rdb.Get(ctx, key).Int(); err != nil || n != 100 {
		t.Fatalf("100 increments gave %d, %v", n, err)
	}
}

func TestRueidisOverAllSlots(t *testing.T) {
	l, _ := startLocal(t, nil)
	keys := slotKeys()
	for name, o := range map[string]rueidis.ClientOption{
		"RESP3 with client cache":    {},
		"RESP3 without client cache": {DisableCache: true},
		"RESP2":                      {AlwaysRESP2: true, DisableCache: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.InitAddress = l.Addrs()[:1]
			c, err := rueidis.NewClient(o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			rueidisAllSlots(t, c, keys, name)
			if !o.DisableCache {
				rueidisCache(t, c)
			}
		})
	}
}

func rueidisAllSlots(t *testing.T, c rueidis.Client, keys []string, value string) {
	ctx := t.Context()
	for i := 0; i < len(keys); i += 1000 {
		part := keys[i:min(i+1000, len(keys))]
		var sets, gets rueidis.Commands
		for _, k := range part {
			sets = append(sets, c.B().Set().Key(k).Value(k+value).Build())
			gets = append(gets, c.B().Get().Key(k).Build())
		}
		for j, r := range c.DoMulti(ctx, sets...) {
			if err := r.Error(); err != nil {
				t.Fatalf("SET %s: %v", part[j], err)
			}
		}
		for j, r := range c.DoMulti(ctx, gets...) {
			if got, err := r.ToString(); err != nil || got != part[j]+value {
				t.Fatalf("GET %s: %q, %v", part[j], got, err)
			}
		}
	}
}

// rueidisCache: a cached value must be dropped once somebody else has changed it.
func rueidisCache(t *testing.T, c rueidis.Client) {
	ctx := t.Context()
	set := func(v string) {
		if err := c.Do(ctx, c.B().Set().Key("cached").Value(v).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	get := func() rueidis.RedisResult {
		return c.DoCache(ctx, c.B().Get().Key("cached").Cache(), time.Minute)
	}
	set("one")
	get()
	if r := get(); !r.IsCacheHit() {
		t.Fatal("the second read was no cache hit")
	}
	set("two")
	deadline := time.Now().Add(10 * time.Second)
	for {
		r := get()
		if v, err := r.ToString(); err != nil {
			t.Fatal(err)
		} else if v == "two" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the cached value was never invalidated")
		}
		time.Sleep(time.Millisecond)
	}
}
