package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func load(t *testing.T, args []string, env []string, file string) (Config, error) {
	t.Helper()
	var c Config
	fs := pflag.NewFlagSet("server", pflag.ContinueOnError)
	Flags(fs, &c)
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "quorate.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Load(fs, path, env); err != nil {
		return c, err
	}
	return c, c.Complete()
}

func TestPrecedence(t *testing.T) {
	file := "listen: 127.0.0.1:1\nmaxclients: 1\nlease: 200ms\njoin: [a:1, b:2]\n"
	c, err := load(t, []string{"--listen=127.0.0.1:3"}, []string{"QUORATE_LISTEN=127.0.0.1:2", "QUORATE_MAXCLIENTS=2", "HOME=/"}, file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.MaxClients != 2 || c.Lease != 200*time.Millisecond || !reflect.DeepEqual(c.Join, []string{"a:1", "b:2"}) {
		t.Fatalf("flag, environment, file: got %q %d %v %v", c.Listen, c.MaxClients, c.Lease, c.Join)
	}
	if c.PeerListen != "127.0.0.1:10003" || c.HTTPListen != "127.0.0.1:1003" {
		t.Fatalf("derived addresses: %q %q", c.PeerListen, c.HTTPListen)
	}
}

func TestGiven(t *testing.T) {
	c, err := load(t, []string{"--listen=127.0.0.1:3"}, []string{"QUORATE_MAXCLIENTS=10000"}, "spread-leaders: true")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"listen": true, "maxclients": true, "spread-leaders": true, "maxmemory": false} {
		if c.Given(key) != want {
			t.Errorf("%s given: %v", key, !want)
		}
	}
	if new(Config).Given("listen") {
		t.Error("nobody has set anything")
	}
}

func TestErrorsNameTheKey(t *testing.T) {
	for name, in := range map[string]struct {
		args, env []string
		file      string
		want      []string
	}{
		"unknown key in file":        {file: "maxmemroy: 1gb", want: []string{"line 1", `"maxmemroy"`, "did you mean maxmemory"}},
		"unknown key in environment": {env: []string{"QUORATE_FROBNICATE=1"}, want: []string{"QUORATE_FROBNICATE", `"frobnicate"`}},
		"bad value in file":          {file: "name: a\nlease: soon", want: []string{"line 2", "lease"}},
		"bad value in environment":   {env: []string{"QUORATE_DURABILITY=never"}, want: []string{"QUORATE_DURABILITY", "durability", "[always interval]"}},
		"bad flag":                   {args: []string{"--maxmemory=1parsec"}, want: []string{"maxmemory", "1parsec"}},
		"lease too short":            {args: []string{"--election-timeout=3s"}, want: []string{"lease", "third"}},
		"lease too long":             {args: []string{"--lease=490ms"}, want: []string{"lease", "90 %"}},
		"no address":                 {args: []string{"--join=nowhere"}, want: []string{"join", `"nowhere"`}},
		"open to all":                {args: []string{"--listen=:6379"}, want: []string{"cluster-secret", "insecure-peers", ":16379"}},
		"key twice":                  {file: "name: a\nname: b", want: []string{"name", "twice"}},
		"nested value":               {file: "name: {a: b}", want: []string{"name", "plain value"}},
		"not a mapping":              {file: "- name", want: []string{"key: value"}},
		"help is no key":             {file: "config: x", want: []string{`"config"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, in.args, in.env, in.file)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range in.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestKubernetesServiceLinksAreNoKeys(t *testing.T) {
	env := []string{"QUORATE_SERVICE_HOST=10.0.0.1", "QUORATE_PORT=tcp://10.0.0.1:6379", "QUORATE_PORT_6379_TCP_ADDR=10.0.0.1", "QUORATE_CLIENT_SERVICE_PORT_REDIS=6379"}
	if _, err := load(t, nil, env, ""); err != nil {
		t.Fatal(err)
	}
}

func TestTheOperatorsPasswordIsNoKey(t *testing.T) {
	if _, err := load(t, nil, []string{"QUORATE_PASSWORD=x"}, ""); err != nil {
		t.Fatal(err)
	}
}

func TestPeersOfOtherMachinesNeedASecret(t *testing.T) {
	for name, args := range map[string][]string{
		"loopback":        {"--listen=127.0.0.1:6379"},
		"loopback, IPv6":  {"--listen=[::1]:6379"},
		"localhost":       {"--listen=localhost:6379"},
		"a secret":        {"--listen=0.0.0.0:6379", "--cluster-secret=x"},
		"insecure":        {"--listen=10.0.0.1:6379", "--insecure-peers"},
		"peers apart":     {"--listen=:6379", "--peer-listen=127.0.0.1:16379"},
		"clients outside": {"--listen=10.0.0.1:6379", "--peer-listen=[::1]:16379"},
	} {
		if _, err := load(t, args, nil, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBytes(t *testing.T) {
	for in, want := range map[string]Bytes{"0": 0, "100": 100, "1k": 1000, "1kb": 1024, "64MB": 64 << 20, "2g": 2e9, "3gb": 3 << 30, "7b": 7} {
		var b Bytes
		if err := b.Set(in); err != nil || b != want {
			t.Errorf("Set(%q) = %d, %v, want %d", in, b, err, want)
		}
		var again Bytes
		if err := again.Set(b.String()); err != nil || again != b {
			t.Errorf("%q reads back as %d, %v", b, again, err)
		}
	}
	for _, in := range []string{"", "kb", "-1", "1tb", "9223372036854775807gb", "1.5gb"} {
		if err := new(Bytes).Set(in); err == nil {
			t.Errorf("Set(%q) gives no error", in)
		}
	}
}

func TestEveryKeyHasADocLine(t *testing.T) {
	fs := pflag.NewFlagSet("server", pflag.ContinueOnError)
	Flags(fs, new(Config))
	n := 0
	fs.VisitAll(func(f *pflag.Flag) {
		n++
		if len(f.Usage) < 10 || f.Value.Type() == "" {
			t.Errorf("%s has no usable documentation", f.Name)
		}
	})
	fields := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if f.IsExported() {
			fields++
		}
	}
	if n != fields {
		t.Errorf("%d keys for %d fields: a field cannot be set", n, fields)
	}
}
