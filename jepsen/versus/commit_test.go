package versus

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// git runs it in the working folder.
func git(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"}, args...)
	if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestTheCommitIsTheProgramsOwn(t *testing.T) {
	const id = "0123456789abcdef"
	for name, c := range map[string]struct {
		modified, want string
	}{
		"unchanged": {"false", id[:12]},
		"changed":   {"true", id[:12] + "+"},
	} {
		built := func() (*debug.BuildInfo, bool) {
			return &debug.BuildInfo{Settings: []debug.BuildSetting{
				{Key: "CGO_ENABLED", Value: "1"}, {Key: "vcs.revision", Value: id}, {Key: "vcs.modified", Value: c.modified},
			}}, true
		}
		if got := commit(t.Context(), built); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWithoutAStampTheCommitIsTheWorkingFolders(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	t.Chdir(t.TempDir())
	now := func() string {
		return commit(t.Context(), func() (*debug.BuildInfo, bool) { return &debug.BuildInfo{}, true })
	}
	if got := now(); got != "unknown" {
		t.Errorf("outside of a repository the commit is %s", got)
	}
	write := func(file string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(t, "init", "-q")
	if err := os.MkdirAll(filepath.Join("sub", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("main.go")
	write("README.md")
	write(filepath.Join("sub", "deep", "notes.txt"))
	git(t, "add", ".")
	git(t, "commit", "-q", "-m", "first")
	clean := now()
	if len(clean) != commitDigits {
		t.Fatalf("the commit is %q", clean)
	}
	for _, c := range []struct {
		about, file string
		changes     bool
	}{
		{"a document", "README.md", false},
		{"a log that git does not know", "run.log", false},
		{"Go code that git does not know, seen from below", "sub/new.go", true},
		{"Go code", "main.go", true},
	} {
		if err := os.WriteFile(c.file, []byte("changed"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(filepath.Join("sub", "deep"))
		want := clean
		if c.changes {
			want += "+"
		}
		if got := now(); got != want {
			t.Errorf("%s: the commit is %s, want %s", c.about, got, want)
		}
		t.Chdir(filepath.Join("..", ".."))
		git(t, "stash", "-q", "--include-untracked")
	}
}
