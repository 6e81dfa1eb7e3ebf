//go:build mutation

package sim

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal"
)

// fields are the packages whose guards are fields of an Off, switches those with one switch for all of the process.
var fields = map[string]any{"raftnet": raftnet.Off{}, "consensus": consensus.Off{}}

var switches = map[string]map[string]*bool{"fsm": fsm.Off, "shardgroup": shardgroup.Off, "wal": wal.Off, "stable": stable.Off}

// Guards are those that can be switched off, as "package.Guard".
func Guards() (names []string) {
	for prefix, off := range fields {
		t := reflect.TypeOf(off)
		for i := range t.NumField() {
			names = append(names, prefix+"."+t.Field(i).Name)
		}
	}
	for prefix, all := range switches {
		for name := range maps.Keys(all) {
			names = append(names, prefix+"."+name)
		}
	}
	slices.Sort(names)
	return names
}

// weaken switches off what has one switch for all of the process. The judges have no guards but those of the program, so it
// stays off while they judge.
func (p Plan) weaken() {
	for _, name := range p.off() {
		prefix, guard, _ := strings.Cut(name, ".")
		if s := switches[prefix][guard]; s != nil {
			*s = true
		}
	}
}

func (p Plan) weakenMux(m *raftnet.Mux) {
	var off raftnet.Off
	p.switchOff(&off, "raftnet")
	m.SwitchOff(off)
}

func (p Plan) weakenReplica(c *consensus.Config) {
	var off consensus.Off
	p.switchOff(&off, "consensus")
	consensus.SwitchOff(c, off)
}

// switchOff sets the fields that the plan names, if they are this package's.
func (p Plan) switchOff(off any, prefix string) {
	v := reflect.ValueOf(off).Elem()
	for i := range v.NumField() {
		if slices.Contains(p.off(), prefix+"."+v.Type().Field(i).Name) {
			v.Field(i).SetBool(true)
		}
	}
}

// off are the guards that are switched off: mostly one, several with "+" between them.
func (p Plan) off() []string {
	if p.Mutation == "" {
		return nil
	}
	return strings.Split(p.Mutation, "+")
}

func checkGuard(names string) error {
	for _, name := range (Plan{Mutation: names}).off() {
		if !slices.Contains(Guards(), name) {
			return fmt.Errorf("no guard is called %q: want one of %v", name, Guards())
		}
	}
	return nil
}
