package reply

import "strconv"

// Error texts that several commands share, as Redis 7.2 words them. The first word is the code clients act on.
const (
	WrongType        = "WRONGTYPE Operation against a key holding the wrong kind of value"
	SyntaxError      = "ERR syntax error"
	NotInteger       = "ERR value is not an integer or out of range"
	NotFloat         = "ERR value is not a valid float"
	OutOfRange       = "ERR value is out of range"
	NoSuchKey        = "ERR no such key"
	IndexOutOfRange  = "ERR index out of range"
	OffsetOutOfRange = "ERR offset is out of range"
	LeftOut          = "UNCERTAIN the reply to this is left out, since it is too long with those before; what it was to change is changed"
	StringTooLong    = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	Overflow         = "ERR increment or decrement would overflow"
	DecrOverflow     = "ERR decrement would overflow"
	NaNOrInfinity    = "ERR increment would produce NaN or Infinity"
	SameObject       = "ERR source and destination objects are the same"
	InvalidCursor    = "ERR invalid cursor"
	InvalidSlot      = "ERR Invalid or out of range slot"
	TimeoutNotInt    = "ERR timeout is not an integer or out of range"
	TimeoutNegative  = "ERR timeout is negative"

	NestedMulti    = "ERR MULTI calls can not be nested"
	ExecNoMulti    = "ERR EXEC without MULTI"
	DiscardNoMulti = "ERR DISCARD without MULTI"
	WatchInMulti   = "ERR WATCH inside MULTI is not allowed"
	ExecAborted    = "EXECABORT Transaction discarded because of previous errors."

	OutOfMemory  = "OOM command not allowed when used memory > 'maxmemory'."
	CrossSlot    = "CROSSSLOT Keys in request don't hash to the same slot"
	ClusterDown  = "CLUSTERDOWN The cluster is down"
	Uncertain    = "UNCERTAIN write may or may not have been applied"
	AuthRequired = "NOAUTH Authentication required."
	WrongPass    = "WRONGPASS invalid username-password pair or user is disabled."
	NoProto      = "NOPROTO unsupported protocol version"
	SelectRange  = "ERR DB index is out of range"
	SelectOnly0  = "ERR SELECT is not allowed in cluster mode"
)

// maxQuoted bounds how much of a client's bytes an error repeats, as Redis does.
const maxQuoted = 128

// Error writes an error reply. text starts with its code: "ERR …", "WRONGTYPE …". CR and LF become spaces.
func (w *Writer) Error(text string) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, '-')
	w.Buf = appendLine(w.Buf, text)
	w.crlf()
}

// WrongArity writes the error for a wrong number of arguments; subcommands are named like "client|id".
func (w *Writer) WrongArity(command string) {
	w.about("ERR wrong number of arguments for '", command, "' command")
}

// InvalidExpire writes the error for an expire time that is not positive or overflows.
func (w *Writer) InvalidExpire(command string) {
	w.about("ERR invalid expire time in '", command, "' command")
}

// UnknownCommand writes the error for a command that is not in the table, repeating at most 128 bytes of its
// name and about as many of its arguments.
func (w *Writer) UnknownCommand(name []byte, args [][]byte) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, "-ERR unknown command '"...)
	w.Buf = appendLine(w.Buf, clip(name, maxQuoted))
	w.Buf = append(w.Buf, "', with args beginning with: "...)
	room := maxQuoted
	for _, arg := range args {
		if room <= 0 {
			break
		}
		quoted := clip(arg, room)
		w.Buf = append(w.Buf, '\'')
		w.Buf = appendLine(w.Buf, quoted)
		w.Buf = append(w.Buf, "' "...)
		room -= len(quoted) + len("'' ")
	}
	w.crlf()
}

// UnknownSubcommand writes the error for a container command's unknown subcommand; container in capitals.
func (w *Writer) UnknownSubcommand(container string, sub []byte) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, "-ERR unknown subcommand '"...)
	w.Buf = appendLine(w.Buf, clip(sub, maxQuoted))
	w.Buf = append(w.Buf, "'. Try "...)
	w.Buf = appendLine(w.Buf, container)
	w.Buf = append(w.Buf, " HELP."...)
	w.crlf()
}

// Moved redirects the client: slot is served at addr ("host:port").
func (w *Writer) Moved(slot uint16, addr string) { w.redirect("-MOVED ", slot, addr) }

// Ask redirects one command: slot is being taken over by addr.
func (w *Writer) Ask(slot uint16, addr string) { w.redirect("-ASK ", slot, addr) }

func (w *Writer) redirect(code string, slot uint16, addr string) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, code...)
	w.Buf = strconv.AppendUint(w.Buf, uint64(slot), 10)
	w.Buf = append(w.Buf, ' ')
	w.Buf = appendLine(w.Buf, addr)
	w.crlf()
}

func (w *Writer) about(before, subject, after string) {
	if w.Discard {
		return
	}
	w.Buf = append(w.Buf, '-')
	w.Buf = append(w.Buf, before...)
	w.Buf = appendLine(w.Buf, subject)
	w.Buf = append(w.Buf, after...)
	w.crlf()
}

func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }
