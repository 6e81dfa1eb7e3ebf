//go:build mutation

package guards

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal"
)

// fields are the packages whose guards are fields of an Off, switches those with one switch for all of the process.
var fields = map[string]any{"raftnet": raftnet.Off{}, "consensus": consensus.Off{}}

var switches = map[string]map[string]*bool{"fsm": fsm.Off, "shardgroup": shardgroup.Off, "wal": wal.Off, "stable": stable.Off}

// Names are those that can be switched off, as "package.Guard".
func Names() (names []string) {
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

// Weaken switches guards off: mostly one, several with "+" between them, or none. Some have one switch for all of the process,
// the others are off in nodes that start with h. An unknown name is an error.
func Weaken(names string, h *node.Host) error {
	if names == "" {
		return nil
	}
	off := strings.Split(names, "+")
	for _, name := range off {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("no guard is called %q: want one of %v", name, Names())
		}
		prefix, guard, _ := strings.Cut(name, ".")
		if s := switches[prefix][guard]; s != nil {
			*s = true
		}
	}
	var mux raftnet.Off
	set(&mux, "raftnet", off)
	h.Mux = after(h.Mux, func(m *raftnet.Mux) { m.SwitchOff(mux) })
	var replica consensus.Off
	set(&replica, "consensus", off)
	h.Replica = after(h.Replica, func(c *consensus.Config) { consensus.SwitchOff(c, replica) })
	h.Group = after(h.Group, func(c *shardgroup.Config) { consensus.SwitchOff(&c.Consensus, replica) })
	return nil
}

// set sets the fields of a package's Off that are named.
func set(off any, prefix string, names []string) {
	v := reflect.ValueOf(off).Elem()
	for i := range v.NumField() {
		if slices.Contains(names, prefix+"."+v.Type().Field(i).Name) {
			v.Field(i).SetBool(true)
		}
	}
}

// after calls one function after the other; first may be nil.
func after[T any](first, then func(*T)) func(*T) {
	return func(x *T) {
		if first != nil {
			first(x)
		}
		then(x)
	}
}
