//go:build !linux

package ring

// Ring does not exist here.
type Ring struct{}

// New returns ErrUnsupported.
func New(int) (*Ring, error) { return nil, ErrUnsupported }

func (*Ring) Receive(int, []byte) {}
func (*Ring) Send(int, []byte)    {}
func (*Ring) Run() []Result       { return nil }
func (*Ring) Close() error        { return nil }
