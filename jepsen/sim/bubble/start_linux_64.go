//go:build linux && (amd64 || arm64)

package bubble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start starts cmd, as cmd.Start does, for a run that follows from seed, and cmd.Wait waits for it. Where debugging is forbidden
// the error says so, and the process has been ended. Two things are done to it that only a debugger can do:
//
// The runtime's own random numbers order select's ready cases and the iterations of maps, and are math/rand/v2's. They
// derive from 16 random bytes that the kernel gives to each new process. It is held at its first instruction and given
// other ones.
//
// The runtime's monitor interrupts goroutines that run for 10 ms, and takes the processor from those that are in a system
// call, at times that depend on the machine's load. Its thread, which is the first that the process starts, is held for
// good before its first instruction.
func Start(cmd *exec.Cmd, seed uint64) error {
	runtime.LockOSThread() // one thread traces, from beginning to end
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("bubble: start %s: %w", cmd.Path, err)
	}
	monitor, err := prepare(cmd.Process.Pid, seed)
	if err != nil {
		return errors.Join(fmt.Errorf("bubble: prepare %s: %w", cmd.Path, err), cmd.Process.Kill(), cmd.Wait())
	}
	// The process cannot be waited for before the thread that is traced.
	go func() {
		_, _ = syscall.Wait4(monitor, nil, syscall.WALL, nil)
	}()
	return nil
}

// memory is how much the process may have, in bytes; it ends with a trace of its goroutines if it wants more.
const memory = 3 << 30

// prepare waits until the process has stopped at its start, replaces its random bytes, lets it run until it has started its
// first thread, holds that, and lets the rest run freely.
func prepare(pid int, seed uint64) (monitor int, err error) {
	if err := stopped(pid); err != nil {
		return 0, err
	}
	at, err := randomBytes(pid)
	if err != nil {
		return 0, err
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], seed^0x9e3779b97f4a7c15) // neither half may be 0
	binary.LittleEndian.PutUint64(b[8:], seed|1<<63)
	if _, err := syscall.PtracePokeData(pid, at, b[:]); err != nil {
		return 0, fmt.Errorf("write its random bytes: %w", err)
	}
	if err := slowly(pid); err != nil {
		return 0, err
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: memory, Max: memory}, nil); err != nil {
		return 0, fmt.Errorf("bound its memory: %w", err)
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACECLONE); err != nil {
		return 0, fmt.Errorf("trace its threads: %w", err)
	}
	if err := syscall.PtraceCont(pid, 0); err != nil {
		return 0, fmt.Errorf("let it start: %w", err)
	}
	if err := stopped(pid); err != nil {
		return 0, err
	}
	message, err := syscall.PtraceGetEventMsg(pid)
	if err != nil {
		return 0, fmt.Errorf("ask which thread it started: %w", err)
	}
	monitor = int(message)
	if err := stopped(monitor); err != nil {
		return 0, err
	}
	if err := syscall.PtraceDetach(pid); err != nil {
		return 0, fmt.Errorf("let it run: %w", err)
	}
	return monitor, nil
}

// stopped waits until a thread stands still.
func stopped(id int) error {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(id, &status, syscall.WALL, nil); err != nil {
		return fmt.Errorf("wait for its stop: %w", err)
	}
	if !status.Stopped() {
		return fmt.Errorf("it ended with status %#x", status)
	}
	return nil
}

const (
	wordBytes   = 8
	auxNull     = 0
	auxRandom   = 25 // AT_RANDOM
	maxStackTop = 1 << 18
)

// randomBytes finds the address of the random bytes in the auxiliary vector. At the start the stack pointer is at
//
//	argc, argv…, 0, envp…, 0, pairs of type and value, 0
func randomBytes(pid int) (uintptr, error) {
	sp, err := stackPointer(pid)
	if err != nil {
		return 0, fmt.Errorf("read its registers: %w", err)
	}
	argc, err := peek(pid, sp)
	if err != nil {
		return 0, err
	}
	at := sp + wordBytes*uintptr(argc+2)
	for word := uint64(1); word != 0; at += wordBytes {
		if word, err = peek(pid, at); err != nil {
			return 0, err
		}
	}
	for ; at < sp+maxStackTop; at += 2 * wordBytes {
		kind, err := peek(pid, at)
		if err != nil {
			return 0, err
		}
		switch kind {
		case auxRandom:
			value, err := peek(pid, at+wordBytes)
			return uintptr(value), err
		case auxNull:
			return 0, errors.New("the kernel gave it no random bytes")
		}
	}
	return 0, errors.New("its stack does not look as it should")
}

func peek(pid int, at uintptr) (uint64, error) {
	var b [wordBytes]byte
	if _, err := syscall.PtracePeekData(pid, at, b[:]); err != nil {
		return 0, fmt.Errorf("read its stack: %w", err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// slowly keeps the process on one processor until Prepare, and does not let a thread that wakes up interrupt another one:
// while the process starts, the runtime hands its work between two threads, and starts a third one if the other is not
// asleep yet.
func slowly(pid int) error {
	attr, err := unix.SchedGetAttr(pid, 0)
	if err == nil {
		attr.Policy = unix.SCHED_BATCH
		err = unix.SchedSetAttr(pid, attr, 0)
	}
	if err != nil {
		return fmt.Errorf("let its threads not interrupt each other: %w", err)
	}
	var all, one unix.CPUSet
	err = unix.SchedGetaffinity(pid, &all)
	for cpu := 0; err == nil && one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
			err = unix.SchedSetaffinity(pid, &one)
		}
	}
	if err != nil {
		return fmt.Errorf("keep it on one processor: %w", err)
	}
	return nil
}

// onAllProcessors ends that.
func onAllProcessors() {
	var all unix.CPUSet
	for cpu := range 1024 {
		all.Set(cpu)
	}
	_ = unix.SchedSetaffinity(0, &all) // if not, it is slower
}

func onFirstThread() bool { return syscall.Gettid() == syscall.Getpid() }
