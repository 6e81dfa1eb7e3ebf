package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes. It reads what Redis's memtoll reads: 100, 1k (1000), 1kb (1024), 5m, 5mb, 2g, 2gb.
type Bytes int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30},
	{"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1},
}

// Set implements pflag.Value.
func (b *Bytes) Set(s string) error {
	number, factor := strings.ToLower(s), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("%q is no size: want bytes, or a number with kb, mb or gb", s)
	}
	*b = Bytes(n * factor)
	return nil
}

// String gives the largest binary unit that divides b.
func (b Bytes) String() string {
	for _, u := range units[:3] {
		if next := u.bytes << 10; b != 0 && int64(b)%u.bytes == 0 && (int64(b)%next != 0 || u.suffix == "gb") {
			return fmt.Sprintf("%d%s", int64(b)/u.bytes, u.suffix)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Type implements pflag.Value.
func (b *Bytes) Type() string { return "bytes" }

// choice is a string flag that takes only some values.
type choice struct {
	to    *string
	check func(string) error
}

func (c choice) Set(s string) error {
	if err := c.check(s); err != nil {
		return err
	}
	*c.to = s
	return nil
}

func (c choice) String() string { return *c.to }
func (c choice) Type() string   { return "word" }

// list is a comma-separated flag that may be repeated; each source replaces what lower ones said.
type list struct{ to *[]string }

func (l list) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l.to = append(*l.to, part)
		}
	}
	return nil
}

func (l list) String() string { return strings.Join(*l.to, ",") }
func (l list) Type() string   { return "addresses" }
