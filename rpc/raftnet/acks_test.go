package raftnet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/rpc/peer"
)

func ids(names ...string) (out []raft.ServerID) {
	for _, n := range names {
		out = append(out, raft.ServerID(n))
	}
	return out
}

// said is an answer to an AppendEntries, as the link brings it after a delay.
type said struct {
	by      raft.ServerID
	term    uint64 // of the request
	answer  ack
	delay   time.Duration
	entries []*raft.Log
}

func yes(term uint64, promise time.Duration) ack {
	a := ack{promise: promise}
	a.Term, a.Success = term, true
	return a
}

func no(term uint64) ack {
	var a ack
	a.Term = term
	return a
}

// TestWhoseAnswersCount runs conversations of a leader "me", one second of virtual time apart, and checks from when
// on a quorum stands behind it: the number of the conversation, -1 for none.
func TestWhoseAnswersCount(t *testing.T) {
	const d = DefaultLease
	conf := func(names ...string) []*raft.Log {
		var c raft.Configuration
		for _, n := range names {
			c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(n), Address: raft.ServerAddress(n)})
		}
		return []*raft.Log{{Index: 1, Term: 5, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)}}
	}
	for name, c := range map[string]struct {
		voters []raft.ServerID
		talk   []said
		want   int
		// off is the guard without which the result is another.
		off Off
	}{
		"nobody has answered": {ids("me", "b", "c"), nil, -1, Off{}},
		"one of two others is enough with me": {
			ids("me", "b", "c"), []said{{by: "b", term: 5, answer: yes(5, d)}}, 0, Off{}},
		"the newer of two counts": {
			ids("me", "b", "c"), []said{{by: "b", term: 5, answer: yes(5, d)}, {by: "c", term: 5, answer: yes(5, d)}}, 1, Off{}},
		"five voters need two others, the older of them counts": {
			ids("me", "b", "c", "d", "e"), []said{{by: "b", term: 5, answer: yes(5, d)}, {by: "c", term: 5, answer: yes(5, d)}}, 0, Off{}},
		"an answer counts from the sending of its request (F3)": {
			ids("me", "b", "c"), []said{{by: "b", term: 5, answer: yes(5, d), delay: 900 * time.Millisecond}}, 0, Off{SendTimes: true}},
		"a rejection does not count (F4)": {
			ids("me", "b", "c"), []said{{by: "b", term: 5, answer: no(5)}}, -1, Off{Accepted: true}},
		"a newer term does not count (F4)": {
			ids("me", "b", "c"), []said{{by: "b", term: 5, answer: yes(6, d)}}, -1, Off{Accepted: true}},
		"a node without a vote does not count": {
			ids("me", "b", "c"), []said{{by: "x", term: 5, answer: yes(5, d)}}, -1, Off{Voters: true}},
		"without a vote of its own the leader needs two of three": {
			ids("b", "c", "d"), []said{{by: "b", term: 5, answer: yes(5, d)}}, -1, Off{}},
		"what an earlier term was told does not count": {
			ids("me", "b", "c"), []said{{by: "b", term: 4, answer: yes(4, d)}, {by: "c", term: 5, answer: no(5)}}, -1, Off{}},
		"a configuration on its way needs a quorum too": {
			ids("me", "b", "c"), []said{{by: "b", term: 5, answer: yes(5, d), entries: conf("me", "b", "c", "d", "e")}}, -1, Off{}},
		"both quorums stand behind the older of their times": {
			ids("me", "b", "c"), []said{
				{by: "b", term: 5, answer: yes(5, d), entries: conf("me", "b", "c", "d", "e")}, {by: "c", term: 5, answer: yes(5, d)}}, 0, Off{}},
		"a voter on its way out does not decide": {
			ids("me", "b"), []said{{by: "b", term: 5, answer: yes(5, d), entries: conf("me")}}, 0, Off{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := confirmed(t, c.voters, c.talk, Off{}); got != c.want {
				t.Errorf("conversation %d stands confirmed, want %d", got, c.want)
			}
			if c.off != (Off{}) && confirmed(t, c.voters, c.talk, c.off) == c.want {
				t.Error("it makes no difference when the guard is off: this test proves nothing")
			}
		})
	}
}

func confirmed(t *testing.T, voters []raft.ServerID, talk []said, off Off) (conversation int) {
	synctest.Test(t, func(t *testing.T) {
		var now said
		tr := open(t, &scripted{call: func(peer.Kind, []byte) ([]byte, error) {
			time.Sleep(now.delay)
			return appendAck(nil, &now.answer), nil
		}}, Options{}, off)
		tr.SetVoters(voters)
		start := time.Now()
		for i, s := range talk {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second)))
			now = s
			req := &raft.AppendEntriesRequest{Term: s.term, Entries: s.entries}
			if err := tr.AppendEntries(s.by, "", req, &raft.AppendEntriesResponse{}); err != nil {
				t.Fatal(err)
			}
		}
		conversation = -1
		sent, ok := tr.QuorumSent(5)
		until, leased := tr.LeaseUntil(5)
		if ok != leased {
			t.Errorf("a quorum is confirmed: %v, a lease is held: %v", ok, leased)
		}
		if ok {
			conversation = int(sent.Sub(start) / time.Second)
			if sent.Sub(start)%time.Second != 0 {
				conversation = 1000 // not a send time
			}
			if got := until.Sub(sent); off == (Off{}) && got != 391*time.Millisecond { // 400 − 1 % − 5
				t.Errorf("the lease ends %v after the sending", got)
			}
		}
	})
	return conversation
}

func TestShorterPromiseShortensLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := open(t, &scripted{call: func(peer.Kind, []byte) ([]byte, error) {
			a := yes(5, 100*time.Millisecond)
			return appendAck(nil, &a), nil
		}}, Options{})
		start := time.Now()
		tr.AppendEntries("b", "", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{})
		until, ok := tr.LeaseUntil(5)
		if want := 94 * time.Millisecond; !ok || until.Sub(start) != want {
			t.Errorf("the lease is %v, %v, want %v", until.Sub(start), ok, want)
		}
	})
}

func TestSoleVoterIsItsOwnQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := open(t, &scripted{}, Options{})
		tr.SetVoters(ids("me"))
		time.Sleep(time.Hour)
		if sent, ok := tr.QuorumSent(3); !ok || !sent.Equal(time.Now()) {
			t.Errorf("quorum at %v, %v", sent, ok)
		}
		if until, ok := tr.LeaseUntil(3); !ok || !until.After(time.Now()) {
			t.Errorf("lease until %v, %v", until, ok)
		}
		tr.Revoke(3)
		if _, ok := tr.LeaseUntil(3); ok {
			t.Error("a revoked lease is held")
		}
		if _, ok := tr.LeaseUntil(4); !ok {
			t.Error("the lease of the next term is revoked too")
		}
	})
}

func TestOwnCandidacyEndsLease(t *testing.T) {
	a := yes(5, DefaultLease)
	tr := open(t, &scripted{call: func(kind peer.Kind, _ []byte) ([]byte, error) {
		if kind == KindVote {
			return appendVerdict(nil, 6, false), nil
		}
		return appendAck(nil, &a), nil
	}}, Options{})
	tr.AppendEntries("b", "", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{})
	if _, ok := tr.LeaseUntil(5); !ok {
		t.Fatal("no lease")
	}
	if err := tr.RequestVote("b", "", &raft.RequestVoteRequest{Term: 6}, &raft.RequestVoteResponse{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := tr.LeaseUntil(5); ok {
		t.Error("the lease of term 5 outlives the candidacy in term 6")
	}
	if _, ok := tr.QuorumSent(5); ok {
		t.Error("term 5 stands confirmed after the candidacy in term 6")
	}
}

func TestAckNotifyAndAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := yes(5, DefaultLease)
		tr := open(t, &scripted{call: func(peer.Kind, []byte) ([]byte, error) { return appendAck(nil, &a), nil }}, Options{})
		arrived := tr.AckNotify()
		go tr.AppendEntries("x", "", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{})
		<-arrived
		time.Sleep(time.Second)
		tr.AppendEntries("b", "", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{})
		got := tr.Acks()
		want := []PeerAck{{"b", 0, true}, {"x", time.Second, false}}
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestLeaseChecksDoNotAllocate(t *testing.T) {
	a := yes(5, DefaultLease)
	tr := open(t, &scripted{call: func(peer.Kind, []byte) ([]byte, error) { return appendAck(nil, &a), nil }}, Options{})
	tr.AppendEntries("b", "", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{})
	if n := testing.AllocsPerRun(100, func() { tr.LeaseUntil(5); tr.QuorumSent(5) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLeaseUntil(b *testing.B) {
	b.ReportAllocs()
	m := NewMux(&scripted{})
	tr, err := m.Open(1, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tr.LeaseUntil(5)
	}
}

// One follower is asked, the one heard last, where its answer is enough.
func TestBeat(t *testing.T) {
	for name, c := range map[string]struct {
		voters []raft.ServerID
		term   uint64
		answer ack
		want   bool
		asked  int
	}{
		"of three":            {ids("me", "b", "c"), 5, yes(5, DefaultLease), true, 1},
		"of two":              {ids("me", "c"), 5, yes(5, DefaultLease), true, 1},
		"of five":             {ids("me", "b", "c", "d", "e"), 5, yes(5, DefaultLease), false, 0},
		"alone":               {ids("me"), 5, yes(5, DefaultLease), false, 0},
		"without a vote":      {ids("b", "c"), 5, yes(5, DefaultLease), false, 0},
		"in a term not led":   {ids("me", "b", "c"), 6, yes(6, DefaultLease), false, 0},
		"rejected":            {ids("me", "b", "c"), 5, no(5), false, 1},
		"of a newer term":     {ids("me", "b", "c"), 5, yes(6, DefaultLease), false, 1},
		"nobody was heard of": {ids("me", "d", "e"), 5, yes(5, DefaultLease), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer, asked := yes(5, DefaultLease), 0
				tr := open(t, &scripted{call: func(kind peer.Kind, frame []byte) ([]byte, error) {
					asked++
					args, err := decodeAppend([]byte("me"), frame)
					if err != nil || kind != KindAppend || !isHeartbeat(args) || args.Term != 5 {
						t.Errorf("sent %+v, %v", args, err)
					}
					return appendAck(nil, &answer), nil
				}}, Options{})
				for _, id := range ids("b", "c") { // c is heard last
					tr.AppendEntries(id, "", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{})
					time.Sleep(time.Second)
				}
				tr.SetVoters(c.voters)
				answer, asked = c.answer, 0
				if got := tr.Beat(c.term, time.Second); got != c.want || asked != c.asked {
					t.Errorf("%v after %d messages, want %v after %d", got, asked, c.want, c.asked)
				}
				for _, a := range tr.Acks() {
					if fresh := a.ID == "c" && c.want; (a.Age == 0) != fresh {
						t.Errorf("%s was heard %v ago", a.ID, a.Age)
					}
				}
			})
		})
	}
}
