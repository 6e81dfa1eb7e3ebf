//go:build mutation

package sim

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// Guards are those that can be switched off: every field of the guarded packages' Off, as "package.Field".
func Guards() (names []string) {
	for prefix, off := range map[string]any{"raftnet": raftnet.Off{}, "consensus": consensus.Off{}} {
		t := reflect.TypeOf(off)
		for i := range t.NumField() {
			names = append(names, prefix+"."+t.Field(i).Name)
		}
	}
	slices.Sort(names)
	return names
}

func (p Plan) weakenMux(m *raftnet.Mux) {
	var off raftnet.Off
	switchOff(&off, "raftnet", p.Mutation)
	m.SwitchOff(off)
}

func (p Plan) weakenReplica(c *consensus.Config) {
	var off consensus.Off
	switchOff(&off, "consensus", p.Mutation)
	consensus.SwitchOff(c, off)
}

// switchOff sets the field that name means, if it is one of this package's.
func switchOff(off any, prefix, name string) {
	v := reflect.ValueOf(off).Elem()
	for i := range v.NumField() {
		if prefix+"."+v.Type().Field(i).Name == name {
			v.Field(i).SetBool(true)
		}
	}
}

func checkGuard(name string) error {
	if name == "" || slices.Contains(Guards(), name) {
		return nil
	}
	return fmt.Errorf("no guard is called %q: want one of %v", name, Guards())
}
