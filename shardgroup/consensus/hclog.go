package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// newLogger gives raft an hclog.Logger whose messages end in logger. Raft's informational messages are about every
// step of an election, so they go one level down.
func newLogger(logger *slog.Logger) hclog.Logger {
	// Off is for the logger's own output; sinks get everything.
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Off, Output: io.Discard})
	l.RegisterSink(sink{logger})
	return l
}

type sink struct{ to *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	at := slogLevel(level)
	switch {
	case routine(msg):
		at = slog.LevelInfo
	case ending(args):
		at = slog.LevelDebug
	}
	if !s.to.Enabled(context.Background(), at) {
		return
	}
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
	}
	s.to.Log(context.Background(), at, "raft: "+msg, args...)
}

// routine messages raft calls warnings, and each start of a cluster, restart of a node and handover has some.
func routine(msg string) bool {
	switch msg {
	case "heartbeat timeout reached, starting election", "Election timeout reached, restarting election",
		"failed to get previous log", "appendEntries rejected, sending older logs":
		return true
	}
	return false
}

// ending reports whether a message tells that a request was refused because the instance ends or leads no more, which each stop of a
// leader does.
func ending(args []any) bool {
	for _, a := range args {
		if err, ok := a.(error); ok && (errors.Is(err, raft.ErrRaftShutdown) || errors.Is(err, errDeposed)) {
			return true
		}
	}
	return false
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Error, hclog.Warn:
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}
