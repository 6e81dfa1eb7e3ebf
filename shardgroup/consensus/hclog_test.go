package consensus

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func TestRaftLogsThroughSlog(t *testing.T) {
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})).With("group", 7))
	l.Warn("lost", "peer", "n1", "servers", hclog.Fmt("%d of %d", 2, 3))
	l.Info("entering follower state")
	got := out.String()
	for _, want := range []string{"level=WARN", `msg="raft: lost"`, "group=7", "peer=n1", `servers="2 of 3"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, "entering") {
		t.Errorf("raft's steps are logged above debug level: %q", got)
	}
}

func TestElectionsAreNoWarnings(t *testing.T) {
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	l.Warn("heartbeat timeout reached, starting election", "last-leader-id", "")
	if out.Len() > 0 {
		t.Errorf("an election is a warning: %q", out.String())
	}
	for _, err := range []error{raft.ErrRaftShutdown, errDeposed} {
		l.Error("failed to appendEntries to", "peer", "n1", "error", err)
		if out.Len() > 0 {
			t.Errorf("the end of an instance or of a term is a warning: %q", out.String())
		}
	}
	l.Error("failed to appendEntries to", "peer", "n1", "error", errors.New("no route"))
	if out.Len() == 0 {
		t.Error("a lost peer is no warning")
	}
	out.Reset()
	l.Warn("failed to contact quorum of nodes, stepping down")
	if out.Len() == 0 {
		t.Error("a lost quorum is no warning")
	}
}
