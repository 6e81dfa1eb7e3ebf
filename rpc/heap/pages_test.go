package heap

import (
	"errors"
	"testing"
)

// advices collects what a pages asked for.
func advices(t *testing.T, fails error) (*pages, func(want ...bool)) {
	var got []bool
	p := &pages{advise: func(huge bool) error { got = append(got, huge); return fails }}
	return p, func(want ...bool) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("asked %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("asked %v, want %v", got, want)
			}
		}
		got = nil
	}
}

func TestHugePagesAreAskedForWhatGrows(t *testing.T) {
	p, asked := advices(t, nil)
	for range growing {
		if again := p.look(4 * mb); again != often {
			t.Errorf("looks again after %v at a heap that grows", again)
		}
	}
	if again := p.look(4 * mb); again != seldom {
		t.Errorf("looks again after %v at one that does not", again)
	}
	p.want(true)
	asked(true)
	p.look(8 * mb)
	asked(true)
	p.want(false)
	p.want(false)
	p.look(8 * mb)
	asked(false)
	p.look(12 * mb)
	p.want(true)
	asked(true)
}

func TestASystemWithoutHugePagesIsAskedOnce(t *testing.T) {
	p, asked := advices(t, errors.New("none"))
	p.look(4 * mb)
	p.look(8 * mb)
	p.want(false)
	asked(true)
}

// What was returned must stay returned: khugepaged fills up what it may.
func TestNoHugePagesFromReturnToLoad(t *testing.T) {
	m := newMachine(sample{live: 640 * mb, objects: 700 * mb, free: 150 * mb})
	wants := func(want bool) {
		t.Helper()
		if m.k.returns.idle == want {
			t.Errorf("wants huge pages: %v, want %v", !want, want)
		}
	}
	for range quietLooks {
		wants(true)
		m.look(mb/2, false)
	}
	for range 2 * mostLooks {
		m.look(mb/2, false)
		wants(false)
	}
	// Reads allocate nothing.
	m.work = 80 * 1e6
	m.look(mb/2, false)
	wants(false)
	m.look(50*mb, false)
	wants(true)
	// Who asks for memory beside a load gets it before that.
	m.free += 200 * mb
	m.mapped += 200 * mb
	m.look(50*mb, true)
	wants(false)
	m.look(50*mb, false)
	wants(false)
	for range 2 * askedLooks {
		m.look(50*mb, false)
	}
	wants(true)
}
