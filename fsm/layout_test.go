package fsm

import (
	"testing"
	"unsafe"
)

// TestShardLayout pins that a shard takes whole cache lines, as the allocator aligns its size, and that its lock, its
// ownership and its table's beginning share the first: table.TestCacheLines knows what a lookup needs of it.
func TestShardLayout(t *testing.T) {
	if size := unsafe.Sizeof(shard{}); size != 192 {
		t.Errorf("a shard takes %d bytes", size)
	}
	if at := unsafe.Offsetof(shard{}.keys); at != 32 {
		t.Errorf("the table begins at %d", at)
	}
}
