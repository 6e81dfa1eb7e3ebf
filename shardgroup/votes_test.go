package shardgroup

import "testing"

// TestSurvey: what those that hold their votes may do, by what the replicas say.
func TestSurvey(t *testing.T) {
	holds, old, late := Standing{Held: true, Term: 9, Index: 900}, Standing{Term: 3, Index: 70}, Standing{Term: 4, Index: 50}
	abcd := [][]string{{"a", "b", "c", "d"}}
	grown := [][]string{{"a", "b", "c"}, {"a", "b", "c", "d"}}
	for name, x := range map[string]struct {
		voters         [][]string
		said           map[string]Standing
		lost, helpless bool
		newest         string
	}{
		"one of three":              {[][]string{{"a", "b", "c"}}, map[string]Standing{"a": holds, "b": old, "c": late}, false, false, "c"},
		"two of three":              {[][]string{{"a", "b", "c"}}, map[string]Standing{"a": holds, "b": holds}, true, true, ""},
		"one of two":                {[][]string{{"a", "b"}}, map[string]Standing{"a": holds, "b": old}, false, true, "b"},
		"two of two":                {[][]string{{"a", "b"}}, map[string]Standing{"a": holds, "b": holds}, true, true, ""},
		"half, newest by term":      {abcd, map[string]Standing{"a": holds, "b": holds, "c": old, "d": late}, false, true, "d"},
		"half, equal":               {abcd, map[string]Standing{"a": old, "b": holds, "c": old, "d": holds}, false, true, "a"},
		"half, one is silent":       {abcd, map[string]Standing{"a": holds, "b": holds, "c": old}, false, true, ""},
		"half, one doesn't know":    {abcd, map[string]Standing{"a": holds, "b": holds, "c": old, "d": {}}, false, true, ""},
		"a majority of the old":     {grown, map[string]Standing{"a": holds, "b": holds, "c": old, "d": late}, false, true, "d"},
		"a majority of both":        {grown, map[string]Standing{"a": holds, "b": holds, "c": holds, "d": late}, true, true, "d"},
		"all, and one never joined": {grown, map[string]Standing{"a": holds, "b": holds, "c": holds}, true, true, ""},
	} {
		s := survey{x.said, x.voters}
		newest, _ := s.newest()
		if s.lost() != x.lost || s.helpless() != x.helpless || newest != x.newest {
			t.Errorf("%s: lost %v, helpless %v, newest %q; want %v, %v, %q", name, s.lost(), s.helpless(), newest, x.lost, x.helpless, x.newest)
		}
	}
}
