package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/history"
)

// session is one client: the logical processes that follow one another on its connections.
type session struct {
	ctx  context.Context
	opts Options
	rng  *rand.Rand
	// cluster sends single commands, where MOVED can be followed. Transactions and pipelines need a connection that
	// does not change under them: pinned is one such per node.
	cluster *client.Cluster
	pinned  map[string]*client.Conn

	client, process int
	// values counts what this client has written, which makes values unique.
	values int
	// failed and last tell of the newest operation.
	failed bool
	last   string
	// token is the lock that this client believes to hold, by object.
	token map[string]string
}

func newSession(ctx context.Context, o Options, i int) *session {
	return &session{
		ctx: ctx, opts: o, rng: seeded(o.Seed, i), client: i, process: i, token: map[string]string{},
		cluster: client.NewCluster(o.Seeds, o.client()), pinned: map[string]*client.Conn{},
	}
}

func (o Options) client() client.Options {
	return client.Options{Password: o.Password, Timeout: o.Timeout, Dial: o.Dial}
}

func (s *session) close() {
	s.cluster.Close()
	for addr := range s.pinned {
		s.unpin(addr)
	}
}

// unique is a value that no other write has.
func (s *session) unique() string {
	s.values++
	return fmt.Sprintf("%d-%d", s.client, s.values)
}

// uniqueNumber is a number that no other write has, for what can't hold a text. Sums of all of a run's fit into 63 bits.
func (s *session) uniqueNumber() string {
	s.values++
	return strconv.Itoa(s.client*history.MaxOps + s.values)
}

// chance is true in percent of a hundred cases.
func (s *session) chance(percent int) bool { return s.rng.IntN(100) < percent }

// begin starts an operation.
func (s *session) begin(kind, key string, args ...string) history.Op {
	return history.Op{Process: s.process, Kind: kind, Key: key, Args: args, Call: s.opts.History.Now()}
}

// end records what became of an operation. After an unknown outcome the process ends: its last operation may still be under
// way beside what the client does next.
func (s *session) end(op history.Op, reply []*string, err error) {
	op.Return = s.opts.History.Now()
	op.Outcome = history.OutcomeOf(err)
	s.failed, s.last = err != nil, ""
	if err != nil {
		op.Error = err.Error()
		s.last = op.Error
	} else {
		op.Reply = reply
	}
	if op.Outcome == history.Unknown {
		s.process += s.opts.Clients + 1
	}
	s.opts.History.Add(op)
}

// do is an operation of one command.
func (s *session) do(op history.Op, cmd ...string) {
	v, err := s.cluster.Do(s.ctx, op.Key, cmd...)
	s.end(op, texts(v), err)
}

// texts flattens a reply.
func texts(v client.Value) []*string {
	switch {
	case v.Null:
		return []*string{nil}
	case v.Kind != '*':
		return []*string{&v.Str}
	}
	var out []*string
	for _, item := range v.Items {
		out = append(out, texts(item)...)
	}
	return out
}

// pin returns this client's own connection to the owner of key.
func (s *session) pin(key string) (*client.Conn, error) {
	if s.cluster.Owner(key) == "" {
		if err := s.cluster.Refresh(s.ctx); err != nil {
			return nil, &client.NotSentError{Err: err}
		}
	}
	return s.connect(s.cluster.Owner(key))
}

func (s *session) connect(addr string) (*client.Conn, error) {
	if conn := s.pinned[addr]; conn != nil {
		return conn, nil
	}
	conn, err := client.Dial(s.ctx, addr, s.opts.client())
	if err == nil {
		s.pinned[addr] = conn
	}
	return conn, err
}

func (s *session) unpin(addr string) {
	if conn := s.pinned[addr]; conn != nil {
		conn.Close()
		delete(s.pinned, addr)
	}
}

// lost forgets a connection that failed or led to the wrong node, and asks for the map again.
func (s *session) lost(addr string) {
	s.unpin(addr)
	s.cluster.Suspect(addr)
	// An error shows at the next operation.
	_ = s.cluster.Refresh(s.ctx)
}

// errConflict is a transaction that did nothing because a watched key changed.
var errConflict = &client.ReplyError{Text: "EXEC returned null: a watched key changed"}

// transact sends MULTI, the commands and EXEC at once over conn and returns EXEC's replies.
func transact(ctx context.Context, conn *client.Conn, cmds [][]string) ([]*string, error) {
	batch := append([][]string{{"MULTI"}}, cmds...)
	replies, err := conn.Pipeline(ctx, append(batch, []string{"EXEC"}))
	if err != nil {
		return nil, err
	}
	v := replies[len(replies)-1]
	switch {
	case replies[0].Kind == '-':
		// Without MULTI the commands were executed one by one.
		return nil, &client.NoReplyError{Addr: conn.Addr(), Err: errors.New("MULTI was refused: " + replies[0].Str)}
	case v.Kind == '-':
		return nil, &client.ReplyError{Text: v.Str}
	case v.Null:
		return nil, errConflict
	case v.Kind != '*' || len(v.Items) != len(cmds):
		return nil, &client.NoReplyError{Addr: conn.Addr(), Err: fmt.Errorf("EXEC of %d commands answered %+v", len(cmds), v)}
	}
	for _, item := range v.Items {
		if item.Kind == '-' {
			// The other commands of the transaction happened: no outcome but unknown covers that.
			return nil, &client.NoReplyError{Addr: conn.Addr(), Err: errors.New("a command of the transaction failed: " + item.Str)}
		}
	}
	return texts(v), nil
}

// multi is an operation of one transaction.
func (s *session) multi(op history.Op, cmds ...[]string) []*string {
	conn, err := s.pin(op.Key)
	if err != nil {
		s.end(op, nil, err)
		return nil
	}
	replies, err := transact(s.ctx, conn, cmds)
	s.end(op, replies, err)
	if err != nil && !errors.Is(err, errConflict) {
		s.lost(conn.Addr())
	}
	return replies
}
