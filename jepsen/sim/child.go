package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/sim/bubble"
	"github.com/quorate/quorate/jepsen/sim/oracle"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/guards"
)

// Job is what a process is asked to simulate.
type Job struct {
	Seed    uint64  `json:"seed"`
	Options Options `json:"options"`
	// Trace has the text of the run printed, Verbose with all messages and the nodes' logs.
	Trace   bool `json:"trace"`
	Verbose bool `json:"verbose"`
}

// Child does the one job that it reads from in: it writes the report to out, as one line of JSON, behind the trace. It
// needs a process of its own, started as Command.Simulate does, and must be the first thing that its main does.
func Child(in io.Reader, out io.Writer) error {
	bubble.Prepare()
	var job Job
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return fmt.Errorf("simulate: read the job: %w", err)
	}
	p := NewPlan(job.Seed, job.Options)
	if err := p.check(); err != nil {
		return err
	}
	// The judges have no guards but those of the program, so what has one switch for all of it stays off while they judge.
	if err := guards.Weaken(p.Mutation, new(node.Host)); err != nil {
		return err
	}
	null, err := openNull()
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	defer null.Close()
	text := out
	if !job.Trace {
		text = null
	}
	began := time.Now()
	r, err := simulate(p, text, job.Verbose)
	if err != nil {
		return err
	}
	beat(judging)
	report := r.report()
	report.Real = time.Since(began)
	report.CPU, report.Memory = spent()
	return json.NewEncoder(out).Encode(report)
}

// Command is how to start a process that calls Child with its standard input and output. If that fails it says so on
// standard error and ends with status 1. It gets no environment but what the command has set.
type Command func() *exec.Cmd

// refused is the exit status of a process whose Child returned an error; one that panics ends with another.
const refused = 1

// Simulate runs one job in a process of its own. What the process says beside its report goes to trace. An error means that
// the harness failed; that the run ended in a panic, or never, is a violation.
func (c Command) Simulate(job Job, trace io.Writer) (Report, error) {
	in, err := json.Marshal(job)
	if err != nil {
		return Report{}, err
	}
	cmd := c()
	// The process inherits no environment, and has always the same name: both lie in its memory, and where things lie orders maps
	// whose keys are pointers.
	cmd.Env = append(cmd.Env, bubble.Env...)
	cmd.Args[0] = "simulation"
	cmd.Stdin = bytes.NewReader(in)
	var errs tail
	lines := &splitter{trace: trace}
	cmd.Stdout, cmd.Stderr = lines, &errs
	beats, err := listen(cmd)
	if err != nil {
		return Report{}, err
	}
	if err := bubble.Start(cmd, job.Seed); err != nil {
		beats.close()
		return Report{}, err
	}
	beats.watch(cmd.Process)
	err = cmd.Wait()
	hung := beats.close()
	report := Report{Plan: NewPlan(job.Seed, job.Options)}
	if err == nil {
		err = json.Unmarshal(lines.last, &report)
	}
	switch {
	case err == nil:
		return report, nil
	case errs.Len() == 0 || cmd.ProcessState.ExitCode() == refused:
		return report, fmt.Errorf("simulate seed %d: %w: %s", job.Seed, err, strings.TrimSpace(errs.String()))
	}
	report.Violations = []oracle.Violation{{Checker: blame(hung, errs.String()), Text: errs.String()}}
	return report, nil
}

// blame says what it was that ended a process before its report.
func blame(hung bool, text string) string {
	switch {
	case hung:
		return "harness: hung"
	case strings.Contains(text, "runtime: out of memory"):
		return "harness: memory"
	case strings.Contains(text, "blocked goroutines remain"):
		return "goroutine leak"
	}
	return "panic"
}

// splitter passes lines on but for the last one.
type splitter struct {
	trace io.Writer
	last  []byte
}

func (s *splitter) Write(b []byte) (int, error) {
	s.last = append(s.last, b...)
	end := bytes.LastIndexByte(s.last[:max(0, len(s.last)-1)], '\n')
	if end < 0 {
		return len(b), nil
	}
	if s.trace != nil {
		if _, err := s.trace.Write(s.last[:end+1]); err != nil {
			s.trace = nil
		}
	}
	s.last = append([]byte(nil), s.last[end+1:]...)
	return len(b), nil
}

// tail keeps the beginning of what is written to it.
type tail struct{ bytes.Buffer }

// maxTail is enough for the goroutine that panicked and some others.
const maxTail = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	if room := maxTail - t.Len(); room > 0 {
		t.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
