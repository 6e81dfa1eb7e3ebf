package resp

// Sizes of a connection's read buffer. Arguments alias it until their commands are answered, so it is compacted only
// between runs.
const (
	// inboxLent is the size of those that a loop lends.
	inboxLent = 16 << 10
	// inboxRoomy is what a connection that pipelines grows to: more commands per read mean larger batches.
	inboxRoomy = 64 << 10
	// inboxKeep is the most that a connection keeps when nothing is pending.
	inboxKeep = 1 << 20
)

// inbox is what was read and not yet executed: buf[r:w].
type inbox struct {
	buf  []byte
	r, w int
	// full says that the last read filled the buffer, so more is waiting.
	full bool
}

func (in *inbox) bytes() []byte { return in.buf[in.r:in.w] }

func (in *inbox) skip(n int) { in.r += n }

func (in *inbox) empty() bool { return in.r == in.w }

// room is where the next input goes. Bytes that were handed out before are overwritten.
func (in *inbox) room() []byte {
	in.makeRoom()
	return in.buf[in.w:]
}

// filled notes that n bytes came into the room.
func (in *inbox) filled(n int) {
	in.w += n
	in.full = in.w == len(in.buf)
}

func (in *inbox) makeRoom() {
	pending := in.w - in.r
	size := len(in.buf)
	switch {
	case size == 0:
		size = inboxLent
	case pending == size:
		// One command does not fit. Doubling as bytes arrive, not by what a length claims: claims are free.
		size *= 2
	case pending == 0 && size > inboxKeep:
		size = inboxRoomy
	case in.full && size < inboxRoomy:
		size *= 2
	}
	if size == len(in.buf) {
		copy(in.buf, in.buf[in.r:in.w])
	} else {
		grown := make([]byte, size)
		copy(grown, in.buf[in.r:in.w])
		in.buf = grown
	}
	in.r, in.w = 0, pending
}
