package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/quorate/quorate/client"
)

// ioTimeout ends a connection whose server does not answer.
const ioTimeout = 10 * time.Second

// worker is one connection and the goroutine that drives it. Its replies are skimmed, not parsed into values, so
// that the generator does not measure itself.
type worker struct {
	s       *shared
	addr    string
	nc      net.Conn
	r       *bufio.Reader
	out     []byte
	key     []byte
	value   []byte
	rnd     *rand.Rand
	zipf    *rand.Zipf
	latency *hdrhistogram.Histogram
}

func (s *shared) dial(ctx context.Context, addr string, seed uint64) (*worker, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	w := &worker{s: s, addr: addr, nc: nc, r: bufio.NewReaderSize(nc, 64<<10), latency: newHistogram()}
	w.rnd = rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	w.value = bytes.Repeat([]byte{'v'}, s.plan.ValueSize)
	if own := len(s.keys[addr]); s.plan.Zipf > 1 && own > 0 {
		w.zipf = rand.NewZipf(w.rnd, s.plan.Zipf, 1, uint64(own-1))
	}
	if s.plan.Password == "" {
		return w, nil
	}
	w.out = fmt.Appendf(nil, "*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n", len(s.plan.Password), s.plan.Password)
	if err := w.exchange(1); err != nil {
		nc.Close()
		return nil, err
	}
	if e := s.firstErr.Load(); e != nil {
		nc.Close()
		return nil, errors.New(*e)
	}
	return w, nil
}

func (w *worker) close() { w.nc.Close() }

// loop sends pipelines until ctx ends or the connection breaks.
func (w *worker) loop(ctx context.Context) {
	defer w.close()
	next := time.Now()
	var gap time.Duration
	if rate := w.s.plan.Rate; rate > 0 {
		gap = time.Duration(float64(w.s.plan.Pipeline*w.s.plan.Clients) / rate * float64(time.Second))
		next = next.Add(time.Duration(w.rnd.Int64N(int64(gap) + 1)))
	}
	for ctx.Err() == nil {
		if gap > 0 {
			time.Sleep(time.Until(next))
		} else {
			next = time.Now()
		}
		w.compose()
		if err := w.exchange(w.s.plan.Pipeline); err != nil {
			if ctx.Err() == nil {
				w.s.fail(fmt.Sprintf("%s: %v", w.addr, err))
			}
			return
		}
		if w.s.measuring.Load() {
			w.s.ops.Add(int64(w.s.plan.Pipeline))
			w.latency.RecordValue(min(time.Since(next).Microseconds(), 60_000_000))
		}
		next = next.Add(gap)
	}
}

// compose fills w.out with one pipeline.
func (w *worker) compose() {
	own := w.s.keys[w.addr]
	w.out = w.out[:0]
	for range w.s.plan.Pipeline {
		i := uint64(0)
		if w.zipf != nil {
			i = w.zipf.Uint64()
		} else {
			i = w.rnd.Uint64N(uint64(len(own)))
		}
		if p := w.s.plan.Reads; p == 1 || p > 0 && w.rnd.Float64() < p {
			w.appendGet(own[i])
		} else {
			w.appendSet(own[i])
		}
	}
}

func (w *worker) appendGet(n uint32) {
	w.out = append(w.out, "*2\r\n$3\r\nGET\r\n"...)
	w.key = appendKey(w.key[:0], n, w.s.plan.KeySize)
	w.appendBulk(w.key)
}

func (w *worker) appendSet(n uint32) {
	w.out = append(w.out, "*3\r\n$3\r\nSET\r\n"...)
	w.key = appendKey(w.key[:0], n, w.s.plan.KeySize)
	w.appendBulk(w.key)
	w.appendBulk(w.value)
}

func (w *worker) appendBulk(b []byte) {
	w.out = append(w.out, '$')
	w.out = strconv.AppendInt(w.out, int64(len(b)), 10)
	w.out = append(w.out, '\r', '\n')
	w.out = append(w.out, b...)
	w.out = append(w.out, '\r', '\n')
}

// exchange sends w.out and skims n replies. Latency of a pipeline ends with its last reply.
func (w *worker) exchange(n int) error {
	w.nc.SetDeadline(time.Now().Add(ioTimeout))
	if _, err := w.nc.Write(w.out); err != nil {
		return err
	}
	for range n {
		if err := w.skim(); err != nil {
			return err
		}
	}
	return nil
}

// skim reads one simple, error, integer or bulk reply.
func (w *worker) skim() error {
	line, err := w.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	switch line[0] {
	case '+', ':':
		return nil
	case '_':
		w.s.misses.Add(1)
		return nil
	case '-':
		w.refused(string(bytes.TrimSpace(line[1:])))
		return nil
	case '$':
		size, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
		if err != nil || size < 0 {
			w.s.misses.Add(1)
			return err
		}
		_, err = w.r.Discard(size + 2)
		return err
	default:
		return fmt.Errorf("unexpected reply %q", line)
	}
}

func (w *worker) refused(text string) {
	if (&client.ReplyError{Text: text}).Code() == "MOVED" {
		w.s.redirects.Add(1)
	}
	w.s.fail(w.addr + ": " + text)
}
