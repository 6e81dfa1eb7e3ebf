package versus

import (
	"context"
	"os/exec"
	"runtime/debug"
	"strings"
)

// commitDigits are as many of a commit's name as tell it apart.
const commitDigits = 12

// commit is what this program was built from, with "+" behind it if that had changes. Go does not note it in git worktrees, nor in
// tests: then it is that of the working folder, in which people build and run; "unknown" where that is not in a repository.
func commit(ctx context.Context, build func() (*debug.BuildInfo, bool)) string {
	if info, ok := build(); ok {
		if id := stamped(info.Settings); id != "" {
			return id
		}
	}
	return checkedOut(ctx)
}

// stamped is the commit that Go has noted in a program, "" if it has none.
func stamped(settings []debug.BuildSetting) string {
	noted := map[string]string{}
	for _, s := range settings {
		noted[s.Key] = s.Value
	}
	id := noted["vcs.revision"]
	id = id[:min(commitDigits, len(id))]
	if id != "" && noted["vcs.modified"] == "true" {
		id += "+"
	}
	return id
}

// checkedOut is the working folder's. Documents are no changes: a report may have been written into one just now. Files that git does
// not know are some if they are of Go.
func checkedOut(ctx context.Context) string {
	id, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil || len(id) < commitDigits {
		return "unknown"
	}
	diff := exec.CommandContext(ctx, "git", "diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)*.md").Run()
	added, err := exec.CommandContext(ctx, "git", "ls-files", "--others", "--exclude-standard", "--", ":(top)*.go").Output()
	if diff != nil || err != nil || strings.TrimSpace(string(added)) != "" {
		return string(id[:commitDigits]) + "+"
	}
	return string(id[:commitDigits])
}
