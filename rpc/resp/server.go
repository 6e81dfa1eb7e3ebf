package resp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/rpc/resp/tracking"
	"github.com/quorate/quorate/shardgroup"
)

// Server serves Redis clients on any number of listeners.
type Server struct {
	b   Backend
	log *slog.Logger
	// runID names this start of the process (INFO run_id, master_replid).
	runID   string
	started time.Time

	// cfg is replaced as a whole by CONFIG SET, under cfgMu.
	cfg   atomic.Pointer[Config]
	cfgMu sync.Mutex

	router router
	routes atomic.Pointer[routes]
	// nudges counts the changes of topology that clients should learn of (gratuitous MOVED).
	nudges atomic.Uint64
	nudged nudged

	tracked *tracking.Table
	stats   stats
	slow    slowlog
	pause   pause
	peak    peak

	conns   connTable
	threads threads
	// loops are started by the first Serve, under mu; there are none where loops are not possible.
	loops    []*loop
	nextLoop atomic.Uint32

	// ctx is that of what clients ask of the node. It ends with Shutdown, at the latest at Shutdown's time limit.
	ctx      context.Context
	cancel   context.CancelFunc
	stopping chan struct{}
	drain    drain
	stopOnce sync.Once
	wg       sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Listener]struct{}
	serving  bool
}

// New checks cfg and returns a server that does not listen yet.
func New(cfg Config, b Backend) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	var id [20]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("run id: %w", err)
	}
	s := &Server{
		b: b, log: cmp.Or(cfg.Log, slog.Default()),
		runID: hex.EncodeToString(id[:]), started: time.Now(),
		tracked:  tracking.New(cfg.TrackingTableMaxKeys),
		stopping: make(chan struct{}), open: map[net.Listener]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cfg.Store(&cfg)
	s.conns.byID = map[int64]*conn{}
	s.TopologyChanged()
	return s, nil
}

// Serve accepts connections from ln until Shutdown or an error of ln. It returns nil after Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	if ok, err := s.addListener(ln); !ok {
		return errors.Join(err, ln.Close())
	}
	for {
		nc, err := ln.Accept()
		if s.isStopping() {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		var temporary interface{ Temporary() bool }
		if errors.As(err, &temporary) && temporary.Temporary() {
			// Out of file descriptors, or the client went away before it was accepted: neither ends the server.
			s.log.Warn("accept", "err", err)
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			return fmt.Errorf("accept clients on %s: %w", ln.Addr(), err)
		}
		s.admit(nc)
	}
}

// start needs mu.
func (s *Server) start() error {
	for range s.cfg.Load().IOThreads {
		l, err := newLoop(s)
		if err != nil {
			return err
		}
		if l == nil {
			break
		}
		s.loops = append(s.loops, l)
		s.wg.Go(l.run)
	}
	s.wg.Go(s.watchIdle)
	return nil
}

// multiplexing names what tells that clients have sent something, and what transfers it.
func (s *Server) multiplexing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.loops) == 0:
		return "goroutines"
	case s.loops[0].ring == nil:
		return "epoll"
	}
	return "epoll+io_uring"
}

// acceptPause is how long Serve waits after running out of file descriptors.
const acceptPause = 10 * time.Millisecond

// admit starts serving nc, or says why not.
func (s *Server) admit(nc net.Conn) {
	s.stats.accepted.Add(1)
	cfg := s.cfg.Load()
	if tcp, ok := nc.(*net.TCPConn); ok {
		// Errors mean that the peer is gone already; the first read tells.
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: cfg.TCPKeepAlive > 0, Idle: cfg.TCPKeepAlive, Interval: cfg.TCPKeepAlive / 3, Count: 3})
	}
	c := newConn(s, nc)
	if refusal := s.refusal(cfg, c); refusal != "" {
		s.stats.rejected.Add(1)
		s.wg.Go(func() { refuse(nc, refusal) })
		return
	}
	if !s.conns.reserve(c, cfg.MaxClients) {
		s.stats.rejected.Add(1)
		s.wg.Go(func() { refuse(nc, "-ERR max number of clients reached\r\n") })
		return
	}
	if len(s.loops) > 0 && s.loops[s.nextLoop.Add(1)%uint32(len(s.loops))].adopt(c, nc) {
		return
	}
	t := newThread(c, nc)
	s.conns.add(c)
	s.threads.add(t)
	s.wg.Go(t.run)
}

// Connections are looked at this often whether they have been idle for too long: at a quarter of the timeout, within these.
const (
	idlePoll        = time.Second
	shortestIdleFor = 5 * time.Millisecond
)

// watchIdle has idle clients disconnected, and looks how much memory is in use.
func (s *Server) watchIdle() {
	for {
		period := idlePoll
		timeout := s.cfg.Load().Timeout
		if timeout > 0 {
			period = min(max(timeout/4, shortestIdleFor), idlePoll)
		}
		select {
		case <-s.stopping:
			return
		case <-time.After(period):
		}
		objects, _ := heapBytes()
		s.peak.see(int64(objects))
		s.sweep()
		if timeout > 0 {
			s.threads.look()
		}
	}
}

// lookAround lets every connection that waits for input see whether it should still.
func (s *Server) lookAround() {
	s.sweep()
	s.threads.look()
}

// endsIdle reports whether connections that wait for input may have to end.
func (s *Server) endsIdle() bool {
	return s.cfg.Load().Timeout > 0 || s.drain.began.Load() != 0 || s.isStopping()
}

// sweep has the loops look at their connections.
func (s *Server) sweep() {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		l.sweep()
	}
}

// refuseTimeout bounds how long a refused client may take to read why.
const refuseTimeout = time.Second

func refuse(nc net.Conn, text string) {
	// The client is being sent away: whether it hears why is its own affair.
	_ = nc.SetDeadline(time.Now().Add(refuseTimeout))
	_, _ = nc.Write([]byte(text))
	nc.Close()
}

// refusal is the text for a client that may not connect at all, "" for everybody else (Redis: protected mode).
func (s *Server) refusal(cfg *Config, c *conn) string {
	if !cfg.ProtectedMode || cfg.RequirePass != "" || c.local {
		return ""
	}
	return "-DENIED Quorate is running in protected mode because no password is set for the default user. " +
		"In this mode connections are only accepted from the loopback interface. To connect from other machines, " +
		"set a password (requirepass), or, in a network that you trust, switch protected mode off " +
		"(CONFIG SET protected-mode no from the loopback interface, or the same key in the configuration), and restart the client.\r\n"
}

// addListener notes a listener to be closed by Shutdown. The first one starts what all connections share.
func (s *Server) addListener(ln net.Listener) (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isStopping() {
		return false, nil
	}
	if !s.serving {
		s.serving = true
		err = s.start()
	}
	s.open[ln] = struct{}{}
	return err == nil, err
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// Shutdown stops accepting, lets connections finish what they have sent, and closes them; at ctx's end the hard way,
// and if there were any left, with ctx's error. What they wait for at that time ends soon: groups answer or give up, and what
// is done for an operator ends with s.ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.mu.Lock()
		close(s.stopping)
		for ln := range s.open {
			ln.Close()
		}
		s.mu.Unlock()
		// What was read before is still executed and answered.
		s.pause.stop()
		s.lookAround()
	})
	defer s.cancel()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		late := s.conns.count()
		s.cancel()
		s.conns.each((*conn).kill)
		<-done
		if late == 0 {
			return nil
		}
		return fmt.Errorf("stop serving clients: closed %d connections at the time limit: %w", late, ctx.Err())
	}
}

// Observer is what the machines of this node's groups report changes to, for client-side caches: for every replica, led
// or not, since READONLY connections read followers. It does not block, and keys are not kept.
func (s *Server) Observer() shardgroup.Observer { return observer{s.tracked} }

type observer struct{ tracked *tracking.Table }

func (o observer) Changed(key []byte, origin uint64) { o.tracked.Changed(key, origin) }
func (o observer) Flushed()                          { o.tracked.AllChanged() }
