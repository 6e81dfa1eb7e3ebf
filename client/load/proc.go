package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of utime and stime in /proc/PID/stat: USER_HZ, 100 on every Linux platform that Go supports.
const clockTick = 10 * time.Millisecond

// CPUTime is user and system time of all pids together, threads that ended included, in steps of 10 ms per process.
func CPUTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		// Fields count from after the command name, which is in parentheses and may hold spaces.
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(fields) < 13 {
			return 0, fmt.Errorf("CPU time of process %d: malformed stat line", pid)
		}
		for _, f := range fields[11:13] {
			n, err := strconv.ParseInt(string(f), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
			}
			sum += time.Duration(n) * clockTick
		}
	}
	return sum, nil
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
