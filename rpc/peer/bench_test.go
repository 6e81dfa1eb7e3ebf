package peer

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// BenchmarkCall is a round trip with a payload like a small batch, from 1 and from 16 callers at a time. cpu-µs/op is
// both ends together.
func BenchmarkCall(b *testing.B) {
	benchmark(b, func(x *Node, payload []byte) error {
		_, err := x.Call(context.Background(), "y", kindEcho, 1, payload)
		return err
	})
}

// BenchmarkAsk is the same as Raft's transport does it: the request is taken by the reading goroutine.
func BenchmarkAsk(b *testing.B) {
	benchmark(b, func(x *Node, payload []byte) error {
		var reply [32]byte
		_, err := x.Ask(nil, 5*time.Second, "y", kindSum, 1, payload, reply[:0])
		return err
	})
}

func benchmark(b *testing.B, ask func(x *Node, payload []byte) error) {
	for name, callers := range map[string]int{"1": 1, "16": 16} {
		b.Run(name, func(b *testing.B) {
			quiet := slog.New(slog.DiscardHandler)
			x, err := Listen("127.0.0.1:0", Options{Self: "x", Logger: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			y, err := Listen("127.0.0.1:0", Options{Self: "y", Logger: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer y.Close()
			y.Handle(kindEcho, func(_ context.Context, _ topology.NodeID, _ slot.GroupID, p []byte) ([]byte, error) {
				return p[:16], nil
			})
			y.Handle(kindSum, func(context.Context, topology.NodeID, slot.GroupID, []byte) ([]byte, error) { panic("not taken") })
			y.Take(kindSum, func(q Request) bool {
				q.Reply(q.Payload[:16])
				return true
			})
			y.Serve()
			x.SetAddr("y", y.Addr())
			payload := make([]byte, 2048)
			before := cpu()
			b.SetParallelism((callers + 1) / 2)
			b.ReportAllocs()
			call := func() {
				if err := ask(x, payload); err != nil {
					b.Error(err)
				}
			}
			if callers == 1 {
				for b.Loop() {
					call()
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						call()
					}
				})
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(x.Stats().Calls)/float64(x.Stats().Flushes), "frames/write")
		})
	}
}

// cpu is the CPU time of this process in microseconds.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}
