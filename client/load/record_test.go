package load

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestReadingCPUTimesIsNotMeasured: with many servers it takes a while, in which operations are not counted.
func TestReadingCPUTimesIsNotMeasured(t *testing.T) {
	const reading = 500 * time.Millisecond
	r := newRecorder(Plan{})
	var cpu time.Duration
	r.cpuTime = func() (time.Duration, error) {
		time.Sleep(reading)
		cpu += time.Second
		return cpu, nil
	}
	if err := r.begin(); err != nil || time.Since(r.start) > reading/2 {
		t.Fatalf("it began %v ago, %v", time.Since(r.start), err)
	}
	began := time.Now()
	if err := r.endInterval(); err != nil {
		t.Fatal(err)
	}
	if first := r.intervals[0].End; first > reading/2 {
		t.Errorf("the first interval ended after %v", first)
	}
	last := time.Since(began)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if res := r.result(); res.Elapsed < last || res.Elapsed > last+reading/2 {
		t.Errorf("it took %v, not %v", res.Elapsed, last)
	}
}

// TestServersThatAreGoneCostWhatTheyDid, for as many operations as were done until that was known.
func TestServersThatAreGoneCostWhatTheyDid(t *testing.T) {
	r := newRecorder(Plan{})
	readings := []time.Duration{time.Second, 3 * time.Second}
	r.cpuTime = func() (cpu time.Duration, err error) {
		if len(readings) == 0 {
			return 0, os.ErrNotExist
		}
		cpu, readings = readings[0], readings[1:]
		return cpu, nil
	}
	begun := r.begin()
	r.record(0, 10, time.Millisecond, seen{})
	cut := r.endInterval()
	r.record(0, 30, time.Millisecond, seen{})
	if err := r.end(); begun != nil || cut != nil || !errors.Is(err, os.ErrNotExist) {
		t.Fatal(begun, cut, err)
	}
	if res := r.result(); res.Ops != 40 || res.CPUPerOp != 200_000 || res.Intervals[1].CPUs != 0 {
		t.Errorf("%d operations at %v µs each, intervals %+v", res.Ops, res.CPUPerOp, res.Intervals)
	}
}

// TestLongWaitsHaveTheirLength: a measurement of an hour can have one of an hour.
func TestLongWaitsHaveTheirLength(t *testing.T) {
	r := newRecorder(Plan{Warmup: time.Second, Duration: time.Hour})
	r.took(0, time.Hour, 1)
	if max := time.Duration(r.shard[0].latency.Max()) * time.Microsecond; max < time.Hour || max > time.Hour*1001/1000 {
		t.Errorf("an hour is told as %v", max)
	}
	if size := r.total.ByteSize(); size > 256<<10 {
		t.Errorf("a histogram of an hour takes %d bytes", size)
	}
}

// TestProgressHasTheLastInterval: a server that stands still does not look like one that is as fast as it was on the average.
func TestProgressHasTheLastInterval(t *testing.T) {
	r := newRecorder(Plan{Duration: time.Minute})
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{5, 0} {
		if last := r.progress().Last; (last == nil) != (i == 0) {
			t.Errorf("after %d intervals the last is %v", i, last)
		}
		r.record(0, n, time.Millisecond, seen{})
		if err := r.endInterval(); err != nil {
			t.Fatal(err)
		}
		if p := r.progress(); p.Ops != 5 || p.Last.Ops != int64(n) || p.Total != time.Minute {
			t.Errorf("after %d operations: %+v, last %+v", n, p, p.Last)
		}
	}
}
