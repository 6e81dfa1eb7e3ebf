package section

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASectionIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	const before, after = "# Title\n<!-- a -->\n", "<!-- /a -->\nthe end\n"
	if err := os.WriteFile(path, []byte(before+"old\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, "a", "new"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != before+"new\n"+after {
		t.Errorf("%q, %v", got, err)
	}
	for name, text := range map[string]string{
		"no lines": "x\n", "only one": "<!-- a -->\n", "twice": before + after + before + after, "the wrong way round": "<!-- /a -->\n<!-- a -->\n",
	} {
		if _, err := splice(text, "a", "new"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
