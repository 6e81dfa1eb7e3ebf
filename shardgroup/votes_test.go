package shardgroup

import "testing"

// TestSurvey: what those that hold their votes may do, by what the replicas say.
func TestSurvey(t *testing.T) {
	holds, ahead := Standing{Held: true, Known: true, Term: 2, Index: 40}, Standing{Held: true, Known: true, Term: 4, Index: 60}
	old, late, empty := Standing{Known: true, Term: 3, Index: 70}, Standing{Known: true, Term: 4, Index: 50}, Standing{Known: true}
	abcd := [][]string{{"a", "b", "c", "d"}}
	grown := [][]string{{"a", "b", "c"}, {"a", "b", "c", "d"}}
	abc, two := []string{"a", "b", "c"}, []string{"a", "b"}
	for name, x := range map[string]struct {
		voters, older [][]string
		said          map[string]Standing
		lost          bool
		choice        string
	}{
		"one of three":                  {[][]string{abc}, nil, map[string]Standing{"a": holds, "b": old, "c": late}, false, ""},
		"two of three":                  {[][]string{abc}, nil, map[string]Standing{"a": holds, "b": holds}, true, ""},
		"one of two":                    {[][]string{two}, nil, map[string]Standing{"a": holds, "b": old}, false, "b"},
		"one of two, and knows more":    {[][]string{two}, nil, map[string]Standing{"a": ahead, "b": late}, false, "a"},
		"half, and one knows more":      {abcd, nil, map[string]Standing{"a": holds, "b": ahead, "c": old, "d": late}, false, "b"},
		"half, and one knows as much":   {abcd, nil, map[string]Standing{"a": holds, "b": {Held: true, Known: true, Term: 4, Index: 50}, "c": old, "d": late}, false, "d"},
		"two of two":                    {[][]string{two}, nil, map[string]Standing{"a": holds, "b": ahead}, true, "b"},
		"half, newest by term":          {abcd, nil, map[string]Standing{"a": holds, "b": holds, "c": old, "d": late}, false, "d"},
		"half, equal":                   {abcd, nil, map[string]Standing{"a": old, "b": holds, "c": old, "d": holds}, false, "a"},
		"half, one is silent":           {abcd, nil, map[string]Standing{"a": holds, "b": holds, "c": old}, false, ""},
		"half, one doesn't know":        {abcd, nil, map[string]Standing{"a": holds, "b": holds, "c": old, "d": {}}, false, ""},
		"one of two, a third joins":     {[][]string{two, abc}, nil, map[string]Standing{"a": holds, "b": old, "c": empty}, false, "b"},
		"one of two was about to add c": {[][]string{abc}, [][]string{two}, map[string]Standing{"a": holds, "b": old, "c": empty}, false, "b"},
		"the same, c is silent":         {[][]string{abc}, [][]string{two}, map[string]Standing{"a": holds, "b": old}, false, ""},
		"the other is empty":            {[][]string{two}, nil, map[string]Standing{"a": holds, "b": empty}, false, "a"},
		"a majority of the old":         {grown, nil, map[string]Standing{"a": holds, "b": holds, "c": old, "d": late}, false, "d"},
		"a majority of both":            {grown, nil, map[string]Standing{"a": holds, "b": holds, "c": holds, "d": late}, true, "d"},
	} {
		s := survey{said: x.said, voters: x.voters, older: x.older}
		if choice := s.choice(); s.lost() != x.lost || choice != x.choice {
			t.Errorf("%s: lost %v, choice %q; want %v, %q", name, s.lost(), choice, x.lost, x.choice)
		}
	}
}
