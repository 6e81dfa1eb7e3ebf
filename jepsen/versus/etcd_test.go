package versus

import (
	"strings"
	"testing"
)

func TestEtcdsProcessorsAreNamed(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	if got := etcdProcs(); !strings.Contains(got, "default") {
		t.Errorf("without a setting: %s", got)
	}
	t.Setenv("GOMAXPROCS", "3")
	if got := etcdProcs(); got != "GOMAXPROCS=3" {
		t.Errorf("with 3: %s", got)
	}
}
