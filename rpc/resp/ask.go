package resp

// ask sends the calls from index first on to their groups and waits for all replies. Writes go to the groups'
// batchers, at once for all groups; reads are answered on this goroutine meanwhile.
func (c *conn) ask(first int) {
	r := &c.run
	waiting := int32(0)
	for _, gc := range r.calls[first:r.used] {
		if gc.writes && !gc.parked {
			waiting++
		}
	}
	if waiting > 0 {
		r.pending.Store(waiting)
		for _, gc := range r.calls[first:r.used] {
			if gc.writes && !gc.parked {
				gc.Origin = c.origin()
				gc.t.replica.Submit(&gc.Call)
			}
		}
	}
	c.askReads(first)
	if waiting > 0 {
		<-r.wake
	}
}

func (c *conn) askReads(first int) {
	r := &c.run
	cfg := c.s.cfg.Load()
	var others []*groupCall
	var own *groupCall
	for _, gc := range r.calls[first:r.used] {
		switch {
		case gc.writes || gc.parked:
		case own == nil:
			own = gc
		case cfg.QuorumReads || gc.follower:
			others = append(others, gc)
		default:
			gc.read(cfg.StaleReads)
		}
	}
	if own == nil {
		return
	}
	if len(others) == 0 {
		own.read(cfg.StaleReads)
		return
	}
	done := make(chan struct{}, len(others))
	for _, gc := range others {
		go func() {
			gc.read(cfg.StaleReads)
			done <- struct{}{}
		}()
	}
	own.read(cfg.StaleReads)
	for range others {
		<-done
	}
}

func (gc *groupCall) read(stale bool) {
	if gc.follower {
		gc.t.replica.ReadFollower(&gc.Call, stale)
		return
	}
	gc.t.replica.Read(&gc.Call)
}
