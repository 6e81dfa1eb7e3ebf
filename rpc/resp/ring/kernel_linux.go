package ring

// What follows is from Linux's include/uapi/linux/io_uring.h.

const (
	// setupSubmitAll: a transfer that fails does not keep those behind it from being tried (5.18).
	setupSubmitAll = 1 << 7
	// featureSingleMap: both queues are in one mapping.
	featureSingleMap = 1 << 0
	offsetRings      = 0
	offsetEntries    = 0x10000000
	enterGetEvents   = 1 << 0
	opSend           = 26
	opReceive        = 27
)

// params is io_uring_params.
type params struct {
	sqEntries, cqEntries, flags, threadCPU, threadIdle, features, workers uint32
	_                                                                     [3]uint32
	sq                                                                    sqOffsets
	cq                                                                    cqOffsets
}

// sqOffsets is io_sqring_offsets.
type sqOffsets struct {
	head, tail, mask, entries, flags, dropped, array, _ uint32
	_                                                   uint64
}

// cqOffsets is io_cqring_offsets.
type cqOffsets struct {
	head, tail, mask, entries, overflow, cqes, flags, _ uint32
	_                                                   uint64
}

// submission is io_uring_sqe.
type submission struct {
	op, flags       uint8
	priority        uint16
	fd              int32
	_               uint64
	address         uint64
	length, message uint32
	user            uint64
	_               [3]uint64
}

// completion is io_uring_cqe.
type completion struct {
	user   uint64
	result int32
	_      uint32
}
