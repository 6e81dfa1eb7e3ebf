package versus

import (
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	p := expfmt.NewTextParser(model.LegacyValidation)
	f, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const (
	early = `# TYPE h histogram
h_bucket{le="0.001"} 5
h_bucket{le="0.002"} 6
h_bucket{le="0.004"} 6
h_bucket{le="+Inf"} 7
h_sum 9.5
h_count 7
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 10
# TYPE go_cpu_classes_gc_total_cpu_seconds_total counter
go_cpu_classes_gc_total_cpu_seconds_total 1
`
	late = `# TYPE h histogram
h_bucket{le="0.001"} 8
h_bucket{le="0.002"} 10
h_bucket{le="0.004"} 12
h_bucket{le="+Inf"} 13
h_sum 9.525
h_count 13
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 14
# TYPE go_cpu_classes_gc_total_cpu_seconds_total counter
go_cpu_classes_gc_total_cpu_seconds_total 1.5
`
)

func TestPausesAreThoseBetweenTwoScrapes(t *testing.T) {
	before, after := scrape{parse(t, early), parse(t, early)}, scrape{parse(t, late), parse(t, early)}
	p := after.since(before, "h")
	if p.Count != 6 || p.Long != 2 || p.Longest != 0.004 || p.Mean < 0.0041 || p.Mean > 0.0042 {
		t.Errorf("got %+v", p)
	}
	if p.P50 != 0.001 || p.P99 != 0.004 || p.P999 != 0.004 {
		t.Errorf("percentiles %+v", p)
	}
	if got := strings.Join(p.Percentiles(), " "); got != "6 ≤ 1 ≤ 4 ≤ 4 ≤ 4 2" {
		t.Errorf("got %q", got)
	}
	if got := p.String(); got != "≤ 4 ms, 2 over 2 ms" {
		t.Errorf("got %q", got)
	}
	if p := after.since(after, "h"); p != (Pauses{}) || p.String() != "none" {
		t.Errorf("nothing has happened: %+v", p)
	}
	if share := after.collected(before); share != 0.125 {
		t.Errorf("garbage collection took %v", share)
	}
}

func TestAPauseBeyondTheLastBucketIsBoundedByTheSum(t *testing.T) {
	last := strings.NewReplacer(`"+Inf"} 7`, `"+Inf"} 8`, "h_sum 9.5", "h_sum 12", "h_count 7", "h_count 8").Replace(early)
	if p := (scrape{parse(t, last)}).since(scrape{parse(t, early)}, "h"); p.Longest != 2.5 || p.Long != 1 {
		t.Errorf("got %+v", p)
	}
}
