package wal

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// killedEnv asks this test's binary to be a process that stores until it is killed: the log's folder, and its durability.
const killedEnv = "QUORATE_WAL_KILLED"

// killedGroups is how many groups such a process stores to.
const killedGroups = 4

// killedEntry is the entry that a group stores at an index.
func killedEntry(id slot.GroupID, index uint64) *raft.Log {
	rng := rand.New(rand.NewPCG(uint64(id), index))
	size := rng.IntN([]int{50, 3000, 3000, 40_000}[rng.IntN(4)])
	return entries(index, 1, uint64(id)+1, size)[0]
}

// beKilled stores, says which entries were acknowledged, deletes old ones and reads some, until the process is killed.
func beKilled(dir string, d Durability) error {
	l, err := Open(dir, Options{
		Durability: d, SegmentBytes: 16 * minSegmentBytes, TailBytes: 1 << 10, SyncEvery: 20 * time.Millisecond, Fatal: func(err error) { panic(err) },
	})
	if err != nil {
		return err
	}
	var groups sync.WaitGroup
	for id := range slot.GroupID(killedGroups) {
		groups.Go(func() {
			g := l.Group(id)
			for index := next(g); ; index++ {
				if err := g.StoreLog(killedEntry(id, index)); err != nil {
					panic(err)
				}
				fmt.Println(id, index)
				if index%50 == 0 {
					if err := g.DeleteRange(1, index-uint64(20+10*id)); err != nil {
						panic(err)
					}
				}
				if err := checkKilled(g, id, max(index, 5)-4); err != nil {
					panic(err)
				}
			}
		})
	}
	groups.Wait()
	return nil
}

func next(g *GroupLog) uint64 {
	last, _ := g.LastIndex()
	return last + 1
}

func checkKilled(g *GroupLog, id slot.GroupID, index uint64) error {
	var e raft.Log
	if err := g.GetLog(index, &e); err != nil {
		return fmt.Errorf("group %d entry %d: %w", id, index, err)
	}
	if err := same(&e, killedEntry(id, index)); err != nil {
		return fmt.Errorf("group %d: %w", id, err)
	}
	return nil
}

// TestKill kills a process with kill -9 while it stores to a real folder, many times over, and finds all that was acknowledged, and
// nothing that was not stored.
func TestKill(t *testing.T) {
	if order := os.Getenv(killedEnv); order != "" {
		word, dir, _ := strings.Cut(order, " ")
		d, err := ParseDurability(word)
		must(t, err)
		must(t, beKilled(dir, d))
	}
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(5, 6))
	var acknowledged [killedGroups]uint64
	for life := range 12 {
		d := Durability(rng.IntN(2))
		killedLife(t, dir, d, time.Duration(rng.IntN(300))*time.Millisecond, &acknowledged)
		l, err := Open(dir, Options{Durability: Durability(rng.IntN(2)), SegmentBytes: 16 * minSegmentBytes, Fatal: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatalf("life %d in %v: %v", life, d, err)
		}
		for id, last := range acknowledged {
			g := l.Group(slot.GroupID(id))
			if n := next(g) - 1; n < last || n > last+1 {
				t.Fatalf("life %d in %v: group %d ends with entry %d, %d was acknowledged last", life, d, id, n, last)
			}
			acknowledged[id] = next(g) - 1
			first, _ := g.FirstIndex()
			for i := max(first, 1); i < next(g); i++ {
				must(t, checkKilled(g, slot.GroupID(id), i))
			}
		}
		must(t, l.Close())
	}
	t.Logf("acknowledged: %d", acknowledged)
}

// killedLife runs such a process for a while, and notes what was acknowledged.
func killedLife(t *testing.T, dir string, d Durability, lives time.Duration, acknowledged *[killedGroups]uint64) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), killedEnv+"="+d.String()+" "+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	kill := sync.OnceFunc(func() { time.AfterFunc(lives, func() { _ = cmd.Process.Kill() }) })
	for {
		line, err := lines.ReadString('\n')
		var id int
		var index uint64
		if _, scanned := fmt.Sscan(line, &id, &index); err == nil && scanned == nil {
			acknowledged[id] = max(acknowledged[id], index)
			kill() // it has begun
			continue
		}
		if err != io.EOF || complaint.Len() > 0 {
			_ = cmd.Process.Kill()
			t.Errorf("the process wrote %q, %v: %s", line, err, &complaint)
		}
		_ = cmd.Wait() // it was killed
		return
	}
}
