//go:build mutation

package mutants

import (
	"time"

	"github.com/quorate/quorate/jepsen/sim"
	"github.com/quorate/quorate/jepsen/trial"
)

// Case is one guard that is switched off, or several, and where one looks for what that does.
type Case struct {
	// Guard is its name for sim.Options.Mutation.
	Guard string
	// Breaks says what can go wrong without it.
	Breaks string
	// Where narrows the simulation to what provokes it; every other choice is the seed's.
	Where sim.Options
	// Real are the histories of real processes in which to look, beside; without a workload there are none.
	Real trial.Config
	// Shows is the only checker that counts in simulations, if it is named: the other guard of the two is missed by others.
	Shows string
	// Test is a test that fails without the guard, where histories do not get: the package and the test's name.
	Test [2]string
	// Why says why they do not get there.
	Why string
}

const pace = 1500 * time.Millisecond

// where narrows to a workload and kinds of faults that come often.
func where(workload string, families ...string) sim.Options {
	return sim.Options{Workload: workload, Families: families, Pace: pace, Safety: 40 * time.Second}
}

// with changes options.
func with(o sim.Options, change func(o *sim.Options)) sim.Options {
	change(&o)
	return o
}

// live is a history of real processes: short, with hardly a pause between faults of seconds.
func live(workload, nemesis string, flags ...string) trial.Config {
	return trial.Config{
		Workload: workload, Nemesis: []string{nemesis}, Duration: 15 * time.Second, Nodes: 3, Clients: 12, Think: 2 * time.Millisecond,
		Quiet: [2]time.Duration{200 * time.Millisecond, 600 * time.Millisecond},
		Hurt:  [2]time.Duration{1200 * time.Millisecond, 3500 * time.Millisecond},
		Bound: trial.DefaultBound, Flags: flags,
	}
}

// dense has two faults at once and clients that hardly pause.
func dense(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Overlap, o.Think = 2, 20*time.Millisecond })
}

// answers has them arrive for long after their senders have elected another leader.
func answers(o sim.Options) sim.Options {
	return with(story("late-answers", "follower", 2*time.Second, o), func(o *sim.Options) { o.Nodes, o.Safety = 5, 4*time.Minute })
}

// last has them arrive one after the other, each just in time, while reads wait.
func last(o sim.Options) sim.Options {
	return with(story("last-answers", "follower", time.Second, o), func(o *sim.Options) { o.Nodes, o.Safety = 5, 2*time.Minute })
}

// story is one that is told again and again, with many clients and elections that take long enough for them to notice.
func story(name, workload string, election time.Duration, o sim.Options) sim.Options {
	return with(thick(o), func(o *sim.Options) {
		o.Workload, o.Families, o.Overlap, o.Election, o.Safety = workload, []string{name}, 1, election, 24*election
	})
}

// long has twice the time.
func long(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Safety *= 2 })
}

// thick is one group with many clients who hardly pause.
func thick(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) {
		o.Shape, o.Nodes, o.Groups, o.Clients, o.Think = "dense", 3, 1, 24, 20*time.Millisecond
	})
}

// few has just enough clients for something to be written all the time: what shows is in the logs.
func few(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Clients = 4 })
}

// spare has a node more than replicas.
func spare(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Nodes, o.Replicas = o.Nodes+1, o.Nodes })
}

// stuck has hand-overs that raft does not get out of.
func stuck(o sim.Options) sim.Options {
	return with(story("stuck-handover", "counter", 500*time.Millisecond, o), func(o *sim.Options) { o.Safety = time.Minute })
}

// crowded has leaders that are cut off while clients write more than there is room for.
func crowded(o sim.Options) sim.Options {
	return with(stuck(o), func(o *sim.Options) {
		o.Workload, o.Families, o.Safety = "eviction", []string{"isolate"}, 2*time.Minute
	})
}

// tail has snapshots that end in the midst of what one replica alone has.
func tail(o sim.Options) sim.Options {
	return with(stuck(o), func(o *sim.Options) { o.Families = []string{"snapshot-over-tail"} })
}

// overtaken has snapshots that arrive after what is behind them.
func overtaken(o sim.Options) sim.Options {
	return with(tail(o), func(o *sim.Options) { o.Families, o.Safety = []string{"late-snapshot"}, 2*time.Minute })
}

// tardy has leaders whose state machine is late.
func tardy(o sim.Options) sim.Options {
	return with(stuck(o), func(o *sim.Options) { o.Workload, o.Families = "follower", []string{"slow-apply"} })
}

// busy has more clients who hardly pause, and elections that take long enough to read in between.
func busy(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Clients, o.Think, o.Election = 6, 20*time.Millisecond, 2*time.Second })
}

func lease(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Reads = "lease" })
}

func quorum(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Reads = "quorum" })
}

func interval(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Durability = "interval" })
}

func always(o sim.Options) sim.Options {
	return with(o, func(o *sim.Options) { o.Durability = "always" })
}

// Cases are all guards.
func Cases() []Case {
	return []Case{
		{Guard: "raftnet.Clamp", Breaks: "a follower applies a tail that was never committed (F1)", Where: few(story("slow-succession", "register", 8*time.Second, always(where("", "")))), Test: [2]string{"./rpc/raftnet", "TestClampKeepsReplicasEqual"}},
		{Guard: "raftnet.SerialHeartbeats", Breaks: "heartbeats race the main loop: a deposed leader writes in the next leader's term (F2)", Where: few(story("deposed-by-heartbeat", "register", 2*time.Second, where("", ""))), Test: [2]string{"./rpc/raftnet", "TestHeartbeatsTakeTheirTurn"}},
		{Guard: "raftnet.SendTimes", Breaks: "an old acknowledgement makes a lease longer (F3)", Where: answers(lease(where("", ""))), Real: live("stale-map", "pause-leader"), Test: [2]string{"./rpc/raftnet", "TestWhoseAnswersCount"}},
		{Guard: "raftnet.Accepted", Breaks: "a rejection makes a lease longer (F4)", Where: story("stuck-leader", "register", time.Second, quorum(where("", ""))), Test: [2]string{"./rpc/raftnet", "TestWhoseAnswersCount"}},
		{Guard: "raftnet.Voters", Breaks: "who has no vote makes a lease longer (hazard 10)", Where: spare(long(story("learner", "register", 3*time.Second, lease(where("", ""))))), Test: [2]string{"./rpc/raftnet", "TestWhoseAnswersCount"}},
		{Guard: "raftnet.Promise", Breaks: "a follower votes within the lease that it has promised", Where: story("forgotten-promise", "follower", 5*time.Second, lease(where("", ""))), Test: [2]string{"./rpc/raftnet", "TestNoVoteLeavesInsidePromise"}},
		{Guard: "raftnet.BootHold", Breaks: "a follower that starts again votes within a lease (hazard 3)", Where: story("forgotten-promise", "follower", 5*time.Second, lease(where("", ""))), Test: [2]string{"./rpc/raftnet", "TestNoElectionInsideLease"}},
		{Guard: "raftnet.Revoke", Breaks: "a leader reads while it hands over (hazard 4)", Where: busy(lease(where("register", "transfer", "slow-net", "slow-return"))),
			Why: "redundant: package consensus revokes the lease, too, before it hands over", Test: [2]string{"./rpc/raftnet", "TestNoElectionInsideLease"}},
		{Guard: "raftnet.Revoke+consensus.Revoke", Breaks: "both off: a leader reads while it hands over (hazard 4)", Where: story("deaf-handover", "follower", 5*time.Second, lease(where("", ""))), Test: [2]string{"./shardgroup/consensus", "TestALeaderThatHandsOverReadsNothing"}},
		{Guard: "raftnet.TransferFence", Breaks: "a late TimeoutNow dethrones a later leader within its lease (hazard 5)", Where: story("late-order", "follower", 5*time.Second, lease(where("", ""))), Test: [2]string{"./rpc/raftnet", "TestNoElectionInsideLease"}},
		{Guard: "raftnet.HoldVotes", Breaks: "who lost acknowledged entries with the power elects a leader without them", Where: few(story("lost-memory", "append", time.Second, interval(where("", ""))))},
		{Guard: "consensus.Barrier", Breaks: "a new leader reads before it has applied what was committed (hazard 6)", Where: lease(where("register", "transfer", "kill", "isolate")), Test: [2]string{"./shardgroup/consensus", "TestNewLeaderWaitsForItsBarrier"}},
		{Guard: "consensus.SendTimes", Breaks: "raft's VerifyLeader counts answers to older messages (F3)", Where: last(quorum(where("", ""))), Test: [2]string{"./shardgroup/consensus", "TestConfirmationCountsFromItsBeginning"}},
		{Guard: "consensus.Conflict", Breaks: "a snapshot over a conflicting tail is offered for ever (F6)", Where: tail(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestSnapshotOverConflictingTail"}},
		{Guard: "consensus.TransferWatch", Breaks: "a stuck hand-over refuses writes for ever (F7)", Where: stuck(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestStuckTransferIsEnded"}},
		{Guard: "consensus.CommitLimit", Breaks: "a follower shows what its leader does not show yet", Where: tardy(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestFollowerDoesNotOvertakeItsLeader"}},
		{Guard: "consensus.Durable", Breaks: "a leader answers before its own disk has what it has sent ahead", Where: always(where("append", "power", "crash")), Test: [2]string{"./shardgroup/consensus", "TestWithoutTheWaitAnAnswerIsTakenBack"}},
		{Guard: "consensus.Lease", Breaks: "a leader that was replaced goes on reading", Where: answers(lease(where("", ""))), Real: live("stale-map", "pause-leader"), Test: [2]string{"./shardgroup/consensus", "TestAReplacedLeaderAnswersNothing"}},
		{Guard: "consensus.ReadIndex", Breaks: "a leader that was replaced tells followers how far they must be", Where: answers(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestAReplacedLeaderAnswersNothing"}},
		{Guard: "consensus.Outcome", Breaks: "what may have been applied is proposed again", Where: where("counter", "isolate", "kill")},
		{Guard: "consensus.Applied", Breaks: "a restarted instance applies entries twice", Where: stuck(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestARestartedInstanceAppliesTwiceWithoutTheGuard"}},
		{Guard: "consensus.LateSnapshot", Breaks: "an old snapshot takes the state back", Where: overtaken(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestALateSnapshotIsRefused"}},
		{Guard: "consensus.Reconcile", Breaks: "a log that does not continue the snapshot is used", Where: tail(where("", "")), Test: [2]string{"./shardgroup/consensus", "TestALogThatDoesNotContinueTheSnapshotGoes"}},
		{Guard: "consensus.Monotonic", Breaks: "installing a snapshot takes acknowledged entries behind it", Where: where("counter", "snapshot", "slow-net", "isolate", "kill")},
		{Guard: "shardgroup.Outcome", Breaks: "clients are told \"not applied\" of what may have been", Where: where("counter", "isolate", "kill")},
		{Guard: "shardgroup.ReadIndex", Breaks: "a follower reads without asking the leader", Where: where("follower", "isolate")},
		{Guard: "shardgroup.LogTime", Breaks: "each replica expires keys by its own clock", Where: where("ttl", "clock")},
		{Guard: "shardgroup.EvictionInLog", Breaks: "each replica evicts what it likes", Where: where("eviction", "transfer")},
		{Guard: "fsm.ClockMaximum", Breaks: "the clock in the log goes back", Where: where("ttl", "clock", "transfer")},
		{Guard: "fsm.SnapshotClock", Breaks: "a restored replica's clock goes back", Where: where("ttl", "snapshot", "isolate", "kill")},
		{Guard: "fsm.LogTime", Breaks: "a reader's own clock decides what has expired: a key that was seen gone comes back", Where: thick(lease(where("ttl", "clock", "transfer")))},
		{Guard: "fsm.WatchVersion", Breaks: "EXEC does not notice that a watched key changed", Where: where("cas")},
		{Guard: "fsm.WatchGone", Breaks: "EXEC does not notice that a watched key expired or was evicted", Where: where("ttl")},
		{Guard: "fsm.Ownership", Breaks: "two groups own a slot", Where: with(where("register"), func(o *sim.Options) { o.Groups = 2 })},
		{Guard: "fsm.CopyOnWrite", Breaks: "a snapshot holds half of what came after it", Where: where("counter", "snapshot", "kill", "isolate"), Real: live("big", "snapshot-kill")},
		{Guard: "fsm.EvictionVersion", Breaks: "a key is evicted that was written after it had been chosen", Where: where("eviction", "isolate", "transfer", "kill"), Test: [2]string{"./fsm", "TestEvictionComparesVersions"},
			Why: "redundant: a leader chooses when it has applied all before its term, has one batch in flight, and a proposal that waits is refused when the term ends: nothing comes in between"},
		{Guard: "fsm.EvictionVersion+consensus.Barrier", Breaks: "both off: a new leader chooses before it has applied what was committed", Where: crowded(where("", "")), Shows: "evictions", Test: [2]string{"./fsm", "TestEvictionComparesVersions"}},
		{Guard: "wal.Sync", Breaks: "what is acknowledged is not on the disk", Where: always(where("append", "power", "crash"))},
		{Guard: "wal.FailStop", Breaks: "a failed sync counts as done", Where: always(where("append", "disk-fail", "power", "crash")), Test: [2]string{"./shardgroup/wal", "TestAFailedSyncIsNone"}},
		{Guard: "wal.Checksum", Breaks: "what a power cut has torn is read", Where: where("append", "crash", "power"), Test: [2]string{"./shardgroup/wal", "TestATornEntryIsNone"}},
		{Guard: "stable.AtomicVote", Breaks: "half a vote is kept: a stale candidate is elected (F5)", Where: few(long(story("half-a-vote", "append", 2*time.Second, always(where("", ""))))), Test: [2]string{"./shardgroup/stable", "TestHalfAVote"}},
		{Guard: "stable.DurableVote", Breaks: "a restarted node votes twice in a term", Where: where("append", "kill", "isolate", "halves"), Test: [2]string{"./shardgroup/stable", "TestAForgottenVote"}},
	}
}
