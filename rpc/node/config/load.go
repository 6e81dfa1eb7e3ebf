package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// EnvPrefix begins every environment variable: QUORATE_DATA_DIR sets data-dir.
const EnvPrefix = "QUORATE_"

// EnvName is the environment variable of a key.
func EnvName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// Load completes flags that were not given on the command line from environ (as os.Environ gives it), then from the YAML
// file at path ("" reads none). Unknown keys and bad values give an error that names source and key.
func Load(flags *pflag.FlagSet, path string, environ []string) error {
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	if err := loadEnv(flags, environ, given); err != nil {
		return err
	}
	if path == "" {
		return nil
	}
	return loadFile(flags, path, given)
}

// serviceLink matches what Kubernetes adds to the environment of every pod beside a Service named quorate or
// quorate-…; those are no keys of ours, and refusing them would keep the pod from starting.
var serviceLink = regexp.MustCompile(`(^|_)(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_.*)?)?)$`)

// notKeys are variables that are read elsewhere: the file to load, and the password of the commands that operate a
// cluster, which may share a container's environment with its server.
var notKeys = map[string]bool{"CONFIG": true, "PASSWORD": true}

func loadEnv(flags *pflag.FlagSet, environ []string, given map[string]bool) error {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, EnvPrefix)
		if !ours || serviceLink.MatchString(rest) || notKeys[rest] {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if err := set(flags, "environment variable "+name, key, value, given); err != nil {
			return err
		}
	}
	return nil
}

func loadFile(flags *pflag.FlagSet, path string, given map[string]bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("config file %s does not exist", path)
		}
		return fmt.Errorf("config file: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("config file %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("config file %s: want lines of the form key: value", path)
	}
	inFile := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		source := fmt.Sprintf("config file %s line %d", path, key.Line)
		if inFile[key.Value] {
			return fmt.Errorf("%s: %s is set twice", source, key.Value)
		}
		inFile[key.Value] = true
		text, err := scalar(value)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", source, key.Value, err)
		}
		if err := set(flags, source, key.Value, text, given); err != nil {
			return err
		}
	}
	return nil
}

// scalar gives a plain value as text, and a list of plain values joined by commas.
func scalar(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		var parts []string
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return "", errors.New("want a list of plain values")
			}
			parts = append(parts, c.Value)
		}
		return strings.Join(parts, ","), nil
	default:
		return "", errors.New("want a plain value or a list of them")
	}
}

// set gives key a value unless a stronger source did, and marks it as given.
func set(flags *pflag.FlagSet, source, key, value string, given map[string]bool) error {
	f := flags.Lookup(key)
	if f == nil || notInFile[key] {
		return fmt.Errorf("%s: unknown key %q%s", source, key, nearest(flags, key))
	}
	if given[key] {
		return nil
	}
	given[key] = true
	if err := f.Value.Set(value); err != nil {
		return fmt.Errorf("%s: %s: %w", source, key, err)
	}
	f.Changed = true
	return nil
}

// notInFile are flags of the command that are no keys of the configuration.
var notInFile = map[string]bool{"help": true, "config": true}

// nearest suggests the key that shares the longest start or part with a mistyped one.
func nearest(flags *pflag.FlagSet, key string) string {
	best, score := "", 2
	flags.VisitAll(func(f *pflag.Flag) {
		n := 0
		for n < len(f.Name) && n < len(key) && f.Name[n] == key[n] {
			n++
		}
		if n > score && !notInFile[f.Name] {
			best, score = f.Name, n
		}
	})
	if best == "" {
		return "; quorate server --help lists the keys"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}
