package versus

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where something was measured.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory uint64 `json:"memory_bytes"`
	OS     string `json:"os"`
	// HugePages is the mode of transparent huge pages: always, madvise or never.
	HugePages string `json:"transparent_huge_pages,omitempty"`
	// Disk is the file system under the data folders, and Sync how long an append of 4 KiB with fdatasync takes there, in
	// microseconds: the median, the fastest, and p99 as the maximum.
	Disk string `json:"disk,omitempty"`
	Sync Spread `json:"fdatasync_us"`
	// Steadiness was found before anything was started.
	Steadiness Steadiness `json:"steadiness"`
}

// String is one line for people.
func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d cores, %.0f GiB, %s", m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.OS)
	if m.HugePages != "" {
		s += ", transparent huge pages " + m.HugePages
	}
	if m.Disk != "" {
		s += fmt.Sprintf("; data on %s, where fdatasync takes %.0f µs (fastest %.0f, p99 %.0f)", m.Disk, m.Sync.Median, m.Sync.Min, m.Sync.Max)
	}
	if steady := m.Steadiness.String(); steady != "" {
		s += "; " + steady
	}
	return s
}

// ThisMachine describes the machine and, if dir is not empty, the disk that holds dir, and how steadily the machine computes.
func ThisMachine(dir string) Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), OS: runtime.GOOS}
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		m.CPU = name
	}
	if name := strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`); name != "" {
		m.OS = name
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.OS += ", " + unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	m.Memory = uint64(meminfo("MemTotal"))
	if modes, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err == nil {
		m.HugePages = chosen(string(modes))
	}
	if dir != "" {
		m.Disk, m.Sync, m.Steadiness = filesystem(dir), syncTimes(dir), steadiness(context.Background(), steadyFor)
	}
	return m
}

// chosen is the word in brackets: the kernel lists all, such as "always [madvise] never".
func chosen(modes string) string {
	_, rest, _ := strings.Cut(modes, "[")
	mode, _, _ := strings.Cut(rest, "]")
	return mode
}

// field is what follows name and a colon or equals sign in a file of such lines, empty if there is no such line.
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return ""
}

// available is the memory in bytes that processes can have without others losing theirs, 0 if unknown.
func available() int64 { return meminfo("MemAvailable") }

// meminfo is a line of proc_meminfo(5) in bytes, 0 where there is none.
func meminfo(name string) int64 {
	kib, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", name), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// filesystem names the type of the file system that holds dir: the mount with the longest matching path.
func filesystem(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "unknown"
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "unknown"
	}
	best, kind := -1, "unknown"
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < best {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			best, kind = len(f[1]), f[2]
		}
	}
	return kind
}

// syncProbes is how many times the disk is asked.
const syncProbes = 101

// syncTimes is Machine.Sync; zero where files can't be synced.
func syncTimes(dir string) Spread {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return Spread{}
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var us []float64
	for range syncProbes {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return Spread{}
		}
		if err := dataSync(f); err != nil {
			return Spread{}
		}
		us = append(us, float64(time.Since(start).Microseconds()))
	}
	slices.Sort(us)
	return spreadOf(us[:len(us)*99/100])
}
