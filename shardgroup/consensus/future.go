package consensus

import (
	"reflect"
	"sync"

	"github.com/hashicorp/raft"
)

// release makes fut.Error return raft.ErrRaftShutdown once dead is closed, and reports whether the future was queued at
// all (one that was not already has its answer).
//
// hashicorp/raft v1.8.0 leaves futures without an answer that are still in a queue when the instance shuts down: a
// committed entry on its way to the FSM goroutine, a request in a buffered channel. Whoever waits for one waits for
// ever. Its futures have an exported field ShutdownCh for just that, but no exported type, so it is set by reflection;
// TestFuturesEndAtShutdown fails if an upgrade moves it.
func release(fut raft.Future, dead chan struct{}) bool {
	v := reflect.ValueOf(fut)
	path := shutdownCh(v.Type())
	if path == nil {
		return false
	}
	field := v.Elem().FieldByIndex(path)
	if !field.CanSet() {
		return false
	}
	field.Set(reflect.ValueOf(dead))
	return true
}

// paths remembers what shutdownCh found: every proposal asks.
var paths sync.Map

// shutdownCh is where the futures of a type have their field; nil if they have none.
func shutdownCh(t reflect.Type) []int {
	if path, known := paths.Load(t); known {
		return path.([]int)
	}
	var path []int
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		if field, ok := t.Elem().FieldByName("ShutdownCh"); ok {
			path = field.Index
		}
	}
	paths.Store(t, path)
	return path
}

// await waits for fut, but not for longer than inst lives.
func (inst *instance) await(fut raft.Future) (queued bool, err error) {
	queued = release(fut, inst.dead)
	return queued, fut.Error()
}
