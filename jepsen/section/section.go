// Package section writes what was measured into a Markdown file, between two lines that name it.
package section

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Write replaces what stands between the lines "<!-- name -->" and "<!-- /name -->" in the file at path, which must be there
// once each.
func Write(path, name, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, err := splice(string(old), name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	// Written beside it and renamed: a full disk must not cost anybody the rest of the file.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".section-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.WriteString(out); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func splice(text, name, with string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	if strings.Count(text, begin) != 1 || strings.Count(text, end) != 1 {
		return "", fmt.Errorf("want the lines %q and %q once each", begin, end)
	}
	before, rest, _ := strings.Cut(text, begin)
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("the line %q comes before %q", end, begin)
	}
	return before + begin + strings.TrimRight(with, "\n") + "\n" + end + after, nil
}
