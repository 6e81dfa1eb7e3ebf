package versus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// markers surround the report called name in a Markdown file. The comparison with peers is the file's "figures".
func markers(name string) (begin, end string) {
	if name == comparison {
		name = "figures"
	}
	return "<!-- " + name + " -->", "<!-- /" + name + " -->"
}

// CheckMarkers says whether path has room for the report called name and can be replaced: better known before an hour of measuring.
func CheckMarkers(path, name string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := splice(string(text), name, ""); err != nil {
		return wrapPath(path, err)
	}
	tmp, err := beside(path)
	if err != nil {
		return wrapPath(path, err)
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// WriteInto replaces what stands between the markers of name in the Markdown file path.
func WriteInto(path, name, markdown string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, err := splice(string(text), name, markdown)
	if err != nil {
		return wrapPath(path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	// Written beside it and renamed: a full disk must not cost anybody their README.
	tmp, err := beside(path)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(out)
	if err := errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// beside makes an empty file in the folder of path.
func beside(path string) (*os.File, error) { return os.CreateTemp(filepath.Dir(path), ".figures-") }

func wrapPath(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// splice replaces what stands between the markers of name, which must be there once.
func splice(text, name, figures string) (string, error) {
	begin, end := markers(name)
	if strings.Count(text, begin) != 1 || strings.Count(text, end) != 1 {
		return "", fmt.Errorf("want the lines %q and %q once each, around the place for the figures", begin, end)
	}
	before, rest, _ := strings.Cut(text, begin)
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("the line %q comes before %q", end, begin)
	}
	return before + begin + "\n" + strings.TrimRight(figures, "\n") + "\n" + end + after, nil
}
