package fsm

import "fmt"

// kind is the type of a key's value, in table.Record.Kind. The numbers are in snapshots and digests: they are for ever.
type kind uint8

const (
	kindString kind = 0
)

// kindNames is what TYPE answers. A snapshot with a kind that is not here is of a newer version and refused.
var kindNames = [...]string{kindString: "string"}

func (k kind) known() bool { return int(k) < len(kindNames) }

func (k kind) String() string {
	if !k.known() {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}
