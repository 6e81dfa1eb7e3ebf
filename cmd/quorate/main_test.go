package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/rpc/node/guards"
)

func run(args ...string) (string, error) {
	var out bytes.Buffer
	c := root()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.Execute()
	return out.String(), err
}

func TestMistypedCommandsAreErrors(t *testing.T) {
	for line, want := range map[string]string{
		"sevrer":               "did you mean server",
		"cluster stats":        `"quorate cluster", did you mean status`,
		"group transfer":       "quorate group --help",
		"nosuch --help-me":     "unknown",
		"cluster status extra": "unknown command",
	} {
		if _, err := run(strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("quorate %s: %v, want an error that says %q", line, err, want)
		}
	}
}

func TestGroupsOfCommandsShowTheirHelp(t *testing.T) {
	for _, line := range []string{"", "cluster", "group", "help cluster", "cluster status --help"} {
		if out, err := run(strings.Fields(line)...); err != nil || !strings.Contains(out, "Usage:") {
			t.Errorf("quorate %s: %v, %.60q", line, err, out)
		}
	}
}

func TestDevBlamesAnotherClusterOnlyForItsPorts(t *testing.T) {
	_, err := run("dev", "--nodes", "0")
	if err == nil || !strings.Contains(err.Error(), "nodes: 0") || strings.Contains(err.Error(), "another cluster") {
		t.Errorf("dev --nodes 0: %v", err)
	}
}

func TestHelpDoesNotShowThePassword(t *testing.T) {
	t.Setenv("QUORATE_PASSWORD", "hunter2")
	for _, line := range []string{"cluster status --help", "bench --help", "jepsen run --help"} {
		out, err := run(strings.Fields(line)...)
		if err != nil || !strings.Contains(out, "QUORATE_PASSWORD") || strings.Contains(out, "hunter2") {
			t.Errorf("quorate %s: %v\n%s", line, err, out)
		}
	}
}

// TestServersCanNotBeWeakened: in a normal build, no flag, variable or line of a file switches a guard off.
func TestServersCanNotBeWeakened(t *testing.T) {
	if len(guards.Names()) > 0 {
		t.Skip("this build is for that")
	}
	file := filepath.Join(t.TempDir(), "quorate.yaml")
	if err := os.WriteFile(file, []byte("mutation: consensus.Lease\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"server", "--mutation", "consensus.Lease"}, {"server", "--config", file}, {"jepsen", "mutants"}, {"jepsen", "mutants", "--ranges", "9"}, {"jepsen", "sim", "--mutation", "consensus.Lease"}} {
		_, err := run(args...)
		if err == nil || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("quorate %s: %v, want an error", strings.Join(args, " "), err)
		} else if args[1] != "--config" && !strings.Contains(err.Error(), "-tags mutation") {
			t.Errorf("quorate %s does not say which build could: %v", strings.Join(args, " "), err)
		}
	}
	t.Setenv("QUORATE_MUTATION", "consensus.Lease")
	if _, err := run("server"); err == nil || !strings.Contains(err.Error(), "unknown key") {
		t.Errorf("QUORATE_MUTATION: %v, want an error", err)
	}
}
