package resp

import (
	"context"
	"net"
)

// Server serves Redis clients on any number of listeners.
type Server struct {
	cfg Config
	b   Backend
}

// New checks cfg and returns a server that does not listen yet.
func New(cfg Config, b Backend) (*Server, error) { return &Server{cfg: cfg, b: b}, nil }

// Serve accepts connections from ln until Shutdown or an error of ln. It returns nil after Shutdown.
func (s *Server) Serve(ln net.Listener) error { panic("contract only") }

// Shutdown stops accepting, lets connections finish what they have sent, and closes them; at ctx's end the hard way.
func (s *Server) Shutdown(ctx context.Context) error { panic("contract only") }

// TopologyChanged tells the server that Backend.Map, Backend.Leader or Backend.Replica answers something new. It
// wakes parked commands and, where this node lost a group, flushes client-side caches. It does not block.
func (s *Server) TopologyChanged() {}

// KeyChanged tells client-side caches that key was written, expired or evicted. Groups call it after the
// change is applied, from the applying goroutine; it does not block, and key is not kept.
func (s *Server) KeyChanged(key []byte) {}

// AllChanged tells client-side caches to forget everything (FLUSHALL, a restored snapshot).
func (s *Server) AllChanged() {}
