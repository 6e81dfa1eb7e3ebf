package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Value is one RESP2 or RESP3 reply. Kind is the type byte on the wire: + - : $ * _ , # ( ! = % ~ >.
type Value struct {
	Kind byte
	// Str is the text of simple strings, errors, bulk and verbatim strings, doubles and big numbers.
	Str string
	// Int is the number of an integer reply, and 1 or 0 for a boolean.
	Int int64
	// Items are the elements of an array, set or push, and keys and values in turn of a map.
	Items []Value
	// Null marks a null of either protocol.
	Null bool
}

// Bounds on what a server may send us.
const (
	maxLine  = 64 << 10
	maxBulk  = 512 << 20
	maxItems = 16 << 20
	maxDepth = 16
)

var errProtocol = errors.New("malformed reply")

// readValue reads one reply. Attributes (RESP3 '|') are read and dropped.
func readValue(r *bufio.Reader, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, fmt.Errorf("%w: nested deeper than %d", errProtocol, maxDepth)
	}
	line, err := readLine(r)
	if err != nil {
		return Value{}, err
	}
	v := Value{Kind: line[0], Str: string(line[1:])}
	switch v.Kind {
	case '+', '-', ',', '(':
		return v, nil
	case '_':
		v.Null = true
		return v, nil
	case '#':
		if v.Str == "t" {
			v.Int = 1
		}
		return v, nil
	case ':':
		v.Int, err = strconv.ParseInt(v.Str, 10, 64)
		return v, err
	case '$', '=', '!':
		return readBulk(r, v)
	case '*', '~', '>', '%', '|':
		return readItems(r, v, depth)
	default:
		return v, fmt.Errorf("%w: type byte %q", errProtocol, v.Kind)
	}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", errProtocol, r.Size())
		}
		return nil, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return nil, fmt.Errorf("%w: line %q", errProtocol, line)
	}
	return line[:len(line)-2], nil
}

func readBulk(r *bufio.Reader, v Value) (Value, error) {
	n, err := strconv.Atoi(v.Str)
	if err != nil || n > maxBulk {
		return v, fmt.Errorf("%w: bulk length %q", errProtocol, v.Str)
	}
	v.Str = ""
	if n < 0 {
		v.Null = true
		return v, nil
	}
	// A header alone must not make us allocate: grow with what arrives.
	body, err := io.ReadAll(io.LimitReader(r, int64(n)+2))
	if err != nil {
		return v, err
	}
	if len(body) != n+2 {
		return v, io.ErrUnexpectedEOF
	}
	v.Str = string(body[:n])
	if v.Kind == '=' && len(v.Str) >= 4 {
		v.Str = v.Str[4:]
	}
	return v, nil
}

func readItems(r *bufio.Reader, v Value, depth int) (Value, error) {
	n, err := strconv.Atoi(v.Str)
	if err != nil || n > maxItems {
		return v, fmt.Errorf("%w: %q elements", errProtocol, v.Str)
	}
	v.Str = ""
	if n < 0 {
		v.Null = true
		return v, nil
	}
	if v.Kind == '%' || v.Kind == '|' {
		n *= 2
	}
	v.Items = make([]Value, 0, min(n, 1024))
	for range n {
		item, err := readValue(r, depth+1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
	}
	if v.Kind == '|' {
		return readValue(r, depth)
	}
	return v, nil
}

// Float is the number of a double reply or of a string that holds one; NaN if there is none.
func (v Value) Float() float64 {
	if v.Kind == ':' {
		return float64(v.Int)
	}
	f, err := strconv.ParseFloat(v.Str, 64)
	if err != nil {
		return math.NaN()
	}
	return f
}
