package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// off the loopback: what a listener or a dialler sees of a peer on another machine.
type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7946} }

type remoteListener struct{ net.Listener }

func (l remoteListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return remoteConn{c}, nil
}

func fromAfar(o *Options) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	o.Listener = remoteListener{l}
}

func toAfar(o *Options) {
	o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return remoteConn{c}, nil
	}
}

func secret(s string) func(*Options)  { return func(o *Options) { o.Secret = s } }
func cluster(c string) func(*Options) { return func(o *Options) { o.Cluster = c } }
func insecure(o *Options)             { o.InsecurePeers = true }

func TestWhoMayTalkToWhom(t *testing.T) {
	type opts = []func(*Options)
	for name, c := range map[string]struct {
		dialler, listener opts
		refusal           string // "" if they may
	}{
		"the same secret":                {nil, nil, ""},
		"the same secret, from afar":     {opts{toAfar}, opts{fromAfar}, ""},
		"no secret on loopback":          {opts{secret("")}, opts{secret("")}, ""},
		"no secret, the peer is far":     {opts{secret("")}, opts{secret(""), fromAfar}, "set the same cluster secret on every node"},
		"no secret, dialling afar":       {opts{secret(""), toAfar}, opts{secret("")}, "set the same cluster secret on every node"},
		"no secret, far, but allowed":    {opts{secret(""), insecure, toAfar}, opts{secret(""), insecure, fromAfar}, ""},
		"different secrets":              {opts{secret("other")}, nil, "set the same cluster secret on every node"},
		"only the dialler has a secret":  {nil, opts{secret("")}, "set the same cluster secret on every node"},
		"only the listener has a secret": {opts{secret("")}, nil, "set the same cluster secret on every node"},
		"another cluster":                {opts{cluster("c2")}, nil, "cluster c1 and cluster c2 are not the same"},
		"a dialler of no cluster yet":    {opts{cluster("")}, nil, ""},
		"a listener of no cluster yet":   {nil, opts{cluster("")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := listen(t, "a", c.dialler...), listen(t, "b", c.listener...)
			a.SetAddr("b", b.Addr())
			_, err := a.Call(long(t), "b", kindEcho, 0, nil)
			if c.refusal == "" && err != nil {
				t.Fatal(err)
			}
			if c.refusal != "" && (!errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), c.refusal)) {
				t.Fatalf("error %v, want one that says %q", err, c.refusal)
			}
		})
	}
}

func TestClusterSetLater(t *testing.T) {
	a, b := pair(t, cluster(""))
	a.SetCluster("c1")
	b.SetCluster("c2")
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("error %v, want a refusal", err)
	}
}

// dialRaw connects to b and returns the connection, for a test that plays the dialler's side by hand.
func dialRaw(t *testing.T, b *testNode) net.Conn {
	c, err := net.Dial("tcp", b.ListenAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func sampleHello() hello {
	h := hello{low: minVersion, high: maxVersion, mode: modeCalls, self: "a", cluster: "c1", want: "b", advertise: "127.0.0.1:1"}
	h.nonce[0] = 42
	return h
}

func TestOtherVersionsAreToldClearly(t *testing.T) {
	b := listen(t, "b")
	c := dialRaw(t, b)
	h := sampleHello()
	h.low, h.high = 7, 9
	writeMessage(c, h.encode())
	got, err := readMessage(c)
	if err != nil {
		t.Fatal(err)
	}
	if ch, err := decodeChallenge(got); err != nil || !strings.Contains(ch.refusal, "peer protocol 1–1 is spoken here, 7–9 there") {
		t.Errorf("refusal %q, %v", ch.refusal, err)
	}
}

// An attacker who has recorded a dialler's side of a handshake plays it back.
func TestReplayedHandshakeIsRefused(t *testing.T) {
	b := listen(t, "b")
	h := sampleHello()
	sent := h.encode()
	first := dialRaw(t, b)
	writeMessage(first, sent)
	got, _ := readMessage(first)
	recorded := proof("s3cret", "dialler", sent, got)
	writeMessage(first, recorded[:])
	if v := verdictOf(t, first); v.refusal != "" {
		t.Fatalf("the true handshake was refused: %s", v.refusal)
	}
	second := dialRaw(t, b)
	writeMessage(second, sent)
	readMessage(second)
	writeMessage(second, recorded[:])
	if v := verdictOf(t, second); v.refusal != secretDiffers || v.proof != ([32]byte{}) {
		t.Errorf("the replay got the verdict %+v", v)
	}
}

// An attacker without the secret answers a listener's challenge with what it can get: its own bytes, or the proof
// that the other side of a handshake gives.
func TestReflectedProofIsRefused(t *testing.T) {
	b := listen(t, "b")
	h := sampleHello()
	sent := h.encode()
	for _, side := range []string{"listener", ""} {
		c := dialRaw(t, b)
		writeMessage(c, sent)
		got, _ := readMessage(c)
		wrong := proof("s3cret", side, sent, got)
		writeMessage(c, wrong[:])
		if v := verdictOf(t, c); v.refusal != secretDiffers {
			t.Errorf("side %q: verdict %+v", side, v)
		}
	}
}

func verdictOf(t *testing.T, c net.Conn) verdict {
	t.Helper()
	b, err := readMessage(c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := decodeVerdict(b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A listener that does not know the secret cannot pose as a node, although the dialler's proof is right.
func TestImpostorListenerIsRefused(t *testing.T) {
	a := listen(t, "a")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	played := make(chan struct{})
	go func() {
		defer close(played)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		readMessage(c)
		ch := challenge{low: 1, high: 1, self: "b"}
		writeMessage(c, ch.encode())
		theirs, _ := readMessage(c)
		v := verdict{proof: [32]byte(theirs), cluster: "c1"} // the best it has
		writeMessage(c, v.encode())
		io.Copy(io.Discard, c)
	}()
	a.SetAddr("b", l.Addr().String())
	if _, err := a.Call(long(t), "b", kindEcho, 0, []byte("confidential")); !errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), "proof") {
		t.Errorf("error %v", err)
	}
	<-played
}

func TestGarbageAndSilenceAreDropped(t *testing.T) {
	b := listen(t, "b")
	h := sampleHello()
	for name, junk := range map[string][]byte{
		"an HTTP request": []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"zeroes":          make([]byte, 5000),
		"a hello cut off": append([]byte{0, 200}, h.encode()[:50]...),
	} {
		c := dialRaw(t, b)
		c.Write(junk)
		c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); len(got) > 0 {
			t.Errorf("%s was answered with %q, %v", name, got, err)
		}
	}
	silent := dialRaw(t, b)
	if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a silent connection ended with %v, want the listener to hang up", err)
	}
	a := listen(t, "a")
	a.SetAddr("b", b.Addr())
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Error(err)
	}
}

func TestBadFrameEndsConnection(t *testing.T) {
	a, b := pair(t)
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	damaged := appendFrame(nil, sample())
	damaged[len(damaged)-1] ^= 1
	c := connOf(a, "b")
	c.raw.Write(damaged)
	<-c.lost
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Errorf("after the damage: %v", err)
	}
	if s := b.Stats(); s.Accepted != 2 || s.Damaged != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{}, {Self: "x", Cluster: strings.Repeat("c", 65)}, {Self: "x", Advertise: strings.Repeat("c", 256)}} {
		o.Logger = slog.New(slog.DiscardHandler)
		if n, err := Listen("127.0.0.1:0", o); err == nil {
			n.Close()
			t.Errorf("%+v was taken", o)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	h := sampleHello()
	c := challenge{low: 1, high: 1, self: "b", advertise: "x:1", refusal: "no"}
	v := verdict{cluster: "c1", refusal: "no"}
	for _, b := range [][]byte{h.encode(), c.encode(), v.encode()} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := decodeHello(b); err == nil && !bytes.Equal(h.encode(), b) {
			t.Errorf("hello %+v", h)
		}
		if c, err := decodeChallenge(b); err == nil && !bytes.Equal(c.encode(), b) {
			t.Errorf("challenge %+v", c)
		}
		if v, err := decodeVerdict(b); err == nil && !bytes.Equal(v.encode(), b) {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestAFloodOfRefusalsIsLoggedOnceASecond(t *testing.T) {
	var r refusalLog
	start := time.Now()
	for i, step := range []struct {
		at     time.Duration
		silent int
		ok     bool
	}{
		{0, 0, true}, {1, 0, false}, {refusalPause - 1, 0, false}, {refusalPause, 2, true}, {refusalPause + 1, 0, false}, {9 * refusalPause, 1, true},
	} {
		if silent, ok := r.pass(start.Add(step.at)); ok != step.ok || silent != step.silent {
			t.Errorf("step %d: logged %v with %d before, want %v and %d", i, ok, silent, step.ok, step.silent)
		}
	}
}
