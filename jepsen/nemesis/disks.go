package nemesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
	"github.com/quorate/quorate/rpc/node/testfaults"
)

func diskFaults() []Fault {
	orders, own := Needs{Orders: true, Quorate: true}, Needs{Disks: true, Flags: []string{"--segment-bytes=1mb"}}
	disk := func(name, about string, needs Needs, inject func(context.Context, *env) (injury, error)) Fault {
		return Fault{Name: name, Family: "slow disk", About: about, Needs: needs, inject: inject}
	}
	return []Fault{
		disk("slow-disk", "each sync of a group's leader takes 50 to 75 ms longer", orders, ordered(leader, testfaults.Orders{SyncDelay: 50 * time.Millisecond})),
		disk("crawling-disk", "each sync of one node takes 1 to 1.5 s longer", orders, ordered(one, testfaults.Orders{SyncDelay: time.Second})),
		disk("slow-disks", "each sync of every node takes 20 to 30 ms longer", orders, ordered(everybody, testfaults.Orders{SyncDelay: 20 * time.Millisecond})),
		disk("stuck-sync", "no sync of a group's leader ends", orders, ordered(leader, testfaults.Orders{SyncStuck: true})),
		disk("failing-sync", "one sync of a group's leader fails: the node must stop", orders, stops(leader, testfaults.Orders{FailSync: true})),
		disk("failing-write", "the writes of one node fail as on a full disk: it must stop", orders, stops(one, testfaults.Orders{FailWrite: true})),
		disk("stuck-disk", "the file system of a group's leader is frozen", own, frozen),
		disk("full-disk", "the file system of one node is full; if the node stops, it is started again when there is room", own, full),
	}
}

// ordered has nodes hurt themselves.
func ordered(whom choice, o testfaults.Orders) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		in := injury{victim: names(victims), heal: func() error { return order(victims, testfaults.Orders{}) }}
		before := hurts(ctx, victims)
		in.bit = func() string {
			if n := hurts(ctx, victims) - before; n > 0 {
				return fmt.Sprintf("%.0f syncs were hurt", n)
			}
			return ""
		}
		return in, order(victims, o)
	}
}

func order(nodes []*process.Node, o testfaults.Orders) error {
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.Order(o))
	}
	return errors.Join(errs...)
}

// hurts sums up what nodes say they have suffered. One that does not answer has suffered nothing that could be shown.
func hurts(ctx context.Context, nodes []*process.Node) (sum float64) {
	for _, n := range nodes {
		if m, err := n.Metrics(ctx); err == nil {
			sum += m["quorate_test_faults_total"]
		}
	}
	return sum
}

// stops is a fault after which the victim must end by itself, and can be started again when it is healed.
func stops(whom choice, o testfaults.Orders) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		n := victims[0]
		in := injury{victim: n.Name()}
		n.MayEnd()
		in.bit = func() string {
			for range 100 {
				if n.Pid() == 0 {
					return "the node stopped by itself"
				}
				time.Sleep(50 * time.Millisecond)
			}
			return ""
		}
		in.heal = func() error {
			ended := n.Pid() == 0
			n.MustRun()
			err := errors.Join(n.Order(testfaults.Orders{}), startAll(victims))
			if !ended {
				err = errors.Join(err, fmt.Errorf("%w: %s went on with a disk that fails", ErrWrong, n.Name()))
			}
			return err
		}
		return in, n.Order(o)
	}
}

// frozen is for real: the kernel lets every write of the node wait. The node may stop itself if that takes too long.
func frozen(ctx context.Context, e *env) (injury, error) {
	victims, err := leader(ctx, e)
	if err != nil {
		return injury{}, err
	}
	n := victims[0]
	n.MayEnd()
	return injury{
		victim: n.Name(),
		bit:    func() string { return blocked(n) },
		heal: func() error {
			err := e.cluster.ThawDisk(n.Index())
			n.MustRun()
			return errors.Join(err, startAll(victims))
		},
	}, e.cluster.FreezeDisk(n.Index())
}

// blocked counts the threads of a node that wait for the disk.
func blocked(n *process.Node) string {
	tasks := fmt.Sprintf("/proc/%d/task", n.Pid())
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return ""
	}
	count := 0
	for _, t := range threads {
		stat, err := os.ReadFile(tasks + "/" + t.Name() + "/stat")
		if err == nil && bytes.Contains(stat, []byte(") D ")) {
			count++
		}
	}
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("%d threads waited for the disk", count)
}

func full(_ context.Context, e *env) (injury, error) {
	n := e.node()
	n.MayEnd()
	log := size(n.Log())
	met := func() bool { return said(n.Log(), log, "no space left") }
	return injury{
		victim: n.Name(),
		act:    func(ctx context.Context) { e.press(ctx, met) },
		bit: func() string {
			if met() {
				return "the node met the full disk"
			}
			return ""
		},
		heal: func() error {
			err := e.cluster.DrainDisk(n.Index())
			n.MustRun()
			return errors.Join(err, startAll([]*process.Node{n}))
		},
	}, e.cluster.FillDisk(n.Index())
}

// ballast is what press writes at a time: a log file of the smallest size takes some of these.
var ballast = strings.Repeat("x", 64<<10)

// press fills logs by writing large values, beside the clients of the run, until done or ctx ends.
func (e *env) press(ctx context.Context, done func() bool) {
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	for ctx.Err() == nil && !done() {
		key := "ballast:" + e.probe()
		_, _ = cl.Do(ctx, key, "SET", key, ballast) // one that fails is no loss
		sleep.For(ctx, 5*time.Millisecond)
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// said reports whether a log says text behind an offset.
func said(path string, from int64, text string) bool {
	data, err := os.ReadFile(path)
	return err == nil && from <= int64(len(data)) && bytes.Contains(data[from:], []byte(text))
}
