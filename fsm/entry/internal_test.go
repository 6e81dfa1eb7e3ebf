package entry

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/quorate/quorate/fsm/command"
)

func TestVictimsRoundTrip(t *testing.T) {
	want := []Victim{{Key: []byte("a"), Version: 0}, {Key: []byte(""), Version: math.MaxUint64}}
	evict := Evict(want)
	got, err := Victims(nil, &evict)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	set := op(command.Set, "k", "12345678")
	if _, err := Victims(nil, &set); !errors.Is(err, ErrInvalid) {
		t.Errorf("SET as eviction: %v", err)
	}
}

func TestLimitsRoundTrip(t *testing.T) {
	for p := range Policy(len(policyNames)) {
		want := Limits{MaxMemory: math.MaxUint64, Policy: p, Samples: MaxSamples}
		limit := Limit(want)
		if got, err := LimitsOf(&limit); err != nil || got != want {
			t.Errorf("got %v, %v", got, err)
		}
	}
	tooMany := Limit(Limits{Samples: MaxSamples + 1})
	if _, err := LimitsOf(&tooMany); !errors.Is(err, ErrInvalid) {
		t.Errorf("%d samples: %v", MaxSamples+1, err)
	}
}

func TestPolicyNames(t *testing.T) {
	for p := range Policy(len(policyNames)) {
		if got, err := ParsePolicy(p.String()); err != nil || got != p {
			t.Errorf("%v: got %v, %v", p, got, err)
		}
	}
	if _, err := ParsePolicy("lru"); err == nil {
		t.Error("lru is no policy")
	}
}
