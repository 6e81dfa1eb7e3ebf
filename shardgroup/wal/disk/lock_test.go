package disk

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Everybody sleeps under the lock, one after the other, and the bubble's clock goes on.
func TestLockHoldersMaySleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, began, inside := NewLock(), time.Now(), 0
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				l.Lock()
				defer l.Unlock()
				inside++
				time.Sleep(time.Second)
				if inside--; inside != 0 {
					t.Error("two at once hold the lock")
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v of virtual time", took)
		}
	})
}
