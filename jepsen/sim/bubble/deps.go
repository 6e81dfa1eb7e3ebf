package bubble

import (
	"errors"
	"io"
	"reflect"
	"time"
)

// deps is what package testing asks of the program that "go test" would have generated: nothing, for one test without
// patterns, profiles, logs, fuzzing and coverage.
type deps struct{}

// entry is testing's own corpusEntry.
type entry = struct {
	Parent     string
	Path       string
	Data       []byte
	Values     []any
	Generation int
	IsSeed     bool
}

var errNone = errors.New("not in a simulation")

func (deps) ImportPath() string                          { return "" }
func (deps) ModulePath() string                          { return "" }
func (deps) MatchString(_, _ string) (bool, error)       { return true, nil }
func (deps) SetPanicOnExit0(bool)                        {}
func (deps) StartCPUProfile(io.Writer) error             { return errNone }
func (deps) StopCPUProfile()                             {}
func (deps) StartTestLog(io.Writer)                      {}
func (deps) StopTestLog() error                          { return nil }
func (deps) WriteProfileTo(string, io.Writer, int) error { return errNone }
func (deps) RunFuzzWorker(func(entry) error) error       { return errNone }
func (deps) CheckCorpus([]any, []reflect.Type) error     { return nil }
func (deps) ResetCoverage()                              {}
func (deps) SnapshotCoverage()                           {}

func (deps) ReadCorpus(string, []reflect.Type) ([]entry, error) { return nil, nil }

func (deps) CoordinateFuzzing(time.Duration, int64, time.Duration, int64, int, []entry, []reflect.Type, string, string) error {
	return errNone
}

func (deps) InitRuntimeCoverage() (string, func(string, string) (string, error), func() float64) {
	return "", nil, nil
}
