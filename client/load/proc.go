package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, 100 on every Linux platform that Go supports.
const clockTick = 10 * time.Millisecond

// CPUTime is user and system time of all pids together, and of their children and those's, such as the process that rewrites Redis's
// log: of those that live, and of those that have ended and were waited for. The latter are known in steps of 10 ms only. A child that
// is waited for while this looks may be missing this once.
func CPUTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	counted := map[int]bool{} // a child may be one of pids, too
	for _, pid := range pids {
		d, err := cpuOf(pid, counted)
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		sum += d
	}
	return sum, nil
}

// cpuOf is the time of pid and below it, without processes that are counted already.
func cpuOf(pid int, counted map[int]bool) (time.Duration, error) {
	if counted[pid] {
		return 0, nil
	}
	counted[pid] = true
	own, waitedFor, err := statTimes(pid)
	if err != nil {
		return 0, err
	}
	if exact, ok := processClock(pid); ok {
		own = exact
	}
	sum := own + waitedFor
	for _, child := range children(pid) {
		if d, err := cpuOf(child, counted); err == nil {
			sum += d
		} // else it has just ended
	}
	return sum, nil
}

// statTimes gives the time that /proc says of a process and of its children that were waited for.
func statTimes(pid int) (own, waitedFor time.Duration, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// Fields count from after the command name, which is in parentheses and may hold spaces: utime, stime, cutime, cstime.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("malformed stat line %q", data)
	}
	var ticks [4]time.Duration
	for i, f := range fields[11:15] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		ticks[i] = time.Duration(n) * clockTick
	}
	return ticks[0] + ticks[1], ticks[2] + ticks[3], nil
}

// children are pid's that live or were not waited for yet. A kernel that does not tell (CONFIG_PROC_CHILDREN) has none.
func children(pid int) (out []int) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range bytes.Fields(data) {
			if child, err := strconv.Atoi(string(word)); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// ResidentBytes is the memory of each of pids that is in RAM (RSS), file mappings included.
func ResidentBytes(pids []int) ([]int64, error) {
	var out []int64
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return nil, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		var size, resident int64
		if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
			return nil, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		out = append(out, resident*int64(os.Getpagesize()))
	}
	return out, nil
}
