package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Bounds on a history: a reader refuses what is larger, a writer stops.
const (
	// MaxOps keeps a history checkable in memory (a few hundred bytes each).
	MaxOps = 5_000_000
	// maxLine is the longest line; list-append replies are the largest.
	maxLine = 4 << 20
)

// ErrFull says that a history has MaxOps operations.
var ErrFull = fmt.Errorf("history holds %d operations, the most that can be checked: make the run shorter or slower", MaxOps)

// Writer gives operations their times and IDs and streams them to a file. It is safe for concurrent use.
type Writer struct {
	began time.Time

	mu     sync.Mutex
	buf    *bufio.Writer
	enc    *json.Encoder
	err    error
	counts Counts
}

// Counts are totals by outcome.
type Counts struct{ Applied, Failed, Unknown int64 }

// Total is the number of operations.
func (c Counts) Total() int64 { return c.Applied + c.Failed + c.Unknown }

// NewWriter writes to w; times count from now.
func NewWriter(w io.Writer) *Writer {
	buf := bufio.NewWriterSize(w, 64<<10)
	return &Writer{began: time.Now(), buf: buf, enc: json.NewEncoder(buf)}
}

// Now is the monotonic time in ns since the writer was made.
func (w *Writer) Now() int64 { return int64(time.Since(w.began)) }

// Add writes op with the next ID. After the first error it drops everything; Flush returns that error.
func (w *Writer) Add(op Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.counts.Total() >= MaxOps {
		w.err = ErrFull
	}
	if w.err != nil {
		return
	}
	op.ID = w.counts.Total() + 1
	switch op.Outcome {
	case Applied:
		w.counts.Applied++
	case Failed:
		w.counts.Failed++
	default:
		w.counts.Unknown++
	}
	w.err = w.enc.Encode(op)
}

// Counts are the totals so far.
func (w *Writer) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// Flush hands everything to the underlying writer and returns the first error of all writes.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	return w.err
}

// Read calls visit for every operation of r, in the order in which they returned, and refuses what no Writer writes.
func Read(r io.Reader, visit func(Op) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var last int64
	for n := 1; lines.Scan(); n++ {
		var op Op
		if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
			return fmt.Errorf("history line %d: %w", n, err)
		}
		if err := validate(op, last); err != nil {
			return fmt.Errorf("history line %d: %w", n, err)
		}
		last = op.ID
		if err := visit(op); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("history after operation %d: %w", last, err)
	}
	return nil
}

func validate(op Op, last int64) error {
	switch {
	case op.ID <= last:
		return fmt.Errorf("operation %d follows %d: IDs must rise", op.ID, last)
	case op.ID > last+1:
		return fmt.Errorf("operation %d follows %d: those between are missing", op.ID, last)
	case op.ID > MaxOps:
		return ErrFull
	case op.Call < 0 || op.Return < op.Call:
		return fmt.Errorf("operation %d is called at %d and returns at %d", op.ID, op.Call, op.Return)
	case op.Outcome != Applied && op.Outcome != Failed && op.Outcome != Unknown:
		return fmt.Errorf("operation %d has outcome %q", op.ID, op.Outcome)
	case op.Kind == "" || op.Key == "":
		return fmt.Errorf("operation %d has no kind or no key", op.ID)
	}
	return nil
}

// ReadFile reads a whole history.
func ReadFile(path string) (ops []Op, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = Read(f, func(op Op) error {
		ops = append(ops, op)
		return nil
	})
	return ops, err
}
