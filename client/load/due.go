package load

import "time"

// longestGap is longer than any measurement, and short enough to be counted with.
const longestGap = 100 * 365 * 24 * time.Hour

// gap is the time between two pipelines of one connection of an open loop.
func (p Plan) gap() time.Duration {
	seconds := float64(p.Pipeline*p.Clients) / p.Rate
	return max(1, time.Duration(min(seconds, longestGap.Seconds())*float64(time.Second)))
}

// cutOff counts the pipeline of a closed loop that a connection had under way since sent when it ended, if it was the measurement's end or
// the connection broke in it. What it had waited meanwhile is the least that it took.
func (r *recorder) cutOff(worker int, sent time.Time) {
	r.open.Lock()
	defer r.open.Unlock()
	if ended := r.open.ended; !ended.IsZero() {
		r.open.underWay = append(r.open.underWay, underWay{worker, r.waited(sent, ended)})
	} else if r.measuring.Load() {
		r.leave(worker, r.waited(sent, time.Now()))
	}
}

// underWay is what a pipeline of a closed loop had waited when the measurement ended.
type underWay struct {
	worker int
	waited time.Duration
}

// waited is how much of the time between two is the measurement's.
func (r *recorder) waited(sent, until time.Time) time.Duration {
	return min(until.Sub(sent), until.Sub(r.start))
}

// leave counts a pipeline that was not answered.
func (r *recorder) leave(worker int, waited time.Duration) {
	r.open.unanswered += int64(r.plan.Pipeline)
	r.took(worker, waited, 1)
}

// countUnderWay counts the pipelines of a closed loop that had waited longer at the end than any took that was answered: something was
// wrong with those. A closed loop always ends with one under way on each connection; a part of a usual time is not to be taken for a whole one.
func (r *recorder) countUnderWay() {
	r.open.Lock()
	defer r.open.Unlock()
	var longest time.Duration
	for i := range r.shard {
		longest = max(longest, r.shard[i].longest)
	}
	for _, u := range r.open.underWay {
		if u.waited > longest {
			r.leave(u.worker, u.waited)
		}
	}
}

// over reports whether the measurement has ended.
func (r *recorder) over() bool {
	r.open.Lock()
	defer r.open.Unlock()
	return !r.open.ended.IsZero()
}

// mostOverdue bounds the steps in which a connection's pipelines are counted that were due at the end: with a rate that nobody could
// meet, there are too many to look at each.
const mostOverdue = 100_000

// overdue counts the pipelines of a connection that were due when the measurement ended and had no answer: one at due, and then another
// each gap. What they had waited by then is the least that they took; without it, a server that stood still at the end would have all
// its latencies from before. Undisturbed says that no processor stood still meanwhile.
//
// Of a connection that breaks before the end it is counted then. What was due before the measurement began is none of its own.
func (r *recorder) overdue(worker int, due time.Time, undisturbed bool) {
	r.open.Lock()
	defer r.open.Unlock()
	if r.open.ended.IsZero() {
		r.open.lost = append(r.open.lost, func() { r.overdue(worker, due, false) })
		return
	}
	gap := r.plan.gap()
	if early := r.start.Sub(due); early > 0 {
		due = due.Add((early + gap - 1) / gap * gap)
	}
	waited := r.open.ended.Sub(due)
	if waited <= 0 {
		return
	}
	left := int64((waited-1)/gap) + 1
	r.open.unanswered += left * int64(r.plan.Pipeline)
	for step := left/mostOverdue + 1; left > 0; left -= step {
		n := min(step, left)
		r.took(worker, waited, n)
		if undisturbed {
			addTimes(r.open.undisturbed, waited, n)
		}
		waited -= time.Duration(step) * gap
	}
}
