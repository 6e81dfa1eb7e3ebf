package versus

import (
	"reflect"
	"strings"
	"testing"
)

func TestACurveNeedsValues(t *testing.T) {
	_, err := Curve(t.Context(), CurveOptions{System: "quorate-interval", Over: "groups"})
	if err == nil || !strings.Contains(err.Error(), "--values") {
		t.Errorf("got %v, want an error that asks for values", err)
	}
}

// TestErrorsShowInTheShortTable: an error costs less than what was asked for, so a figure with some must not pass for one without.
func TestErrorsShowInTheShortTable(t *testing.T) {
	rows := medians([][]CurveRow{{
		{Value: 3, Set: CurveCost{CPUPerOp: 4}, Get: CurveCost{CPUPerOp: 1}},
		{Value: 128, Set: CurveCost{CPUPerOp: 40, Errors: 3450, FirstError: "MOVED"}, Get: CurveCost{CPUPerOp: 1}},
	}})
	want := [][]string{{"3", "4.00", "1.00", "1.00", "1.00"}, {"128", "40.00 †", "10.00 †", "1.00", "1.00"}}
	if got := curveTables("groups", rows)[0].Rows; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if failed(rows[:1]) || !failed(rows) {
		t.Error("the second row got errors, and no other")
	}
}

// TestWhatIsUnansweredShowsBesideErrors, of which it is none.
func TestWhatIsUnansweredShowsBesideErrors(t *testing.T) {
	tables := curveTables("groups", []CurveRow{{Value: 3, Set: CurveCost{Unanswered: 50}}})
	for i, want := range []string{"0, 50 unanswered", "0"} {
		if row := tables[1].Rows[i]; row[len(row)-1] != want {
			t.Errorf("errors of %s: %q, want %q", row[1], row[len(row)-1], want)
		}
	}
}

// TestRatiosAreOfOneRound: a machine that is slow for a minute makes all of a round dear, so the ratio of the medians would be of different
// moments. The last round ended early.
func TestRatiosAreOfOneRound(t *testing.T) {
	row := func(clients int, set, get, peer float64, errors int64) CurveRow {
		return CurveRow{
			Value: clients, Set: CurveCost{CPUPerOp: set, Errors: errors}, Get: CurveCost{CPUPerOp: get},
			PeerSet: &CurveCost{CPUPerOp: peer}, PeerGet: &CurveCost{CPUPerOp: peer},
		}
	}
	rows := medians([][]CurveRow{
		{row(50, 2, 1, 4, 0), row(10000, 3, 1, 4, 1)},
		{row(50, 4, 1, 4, 0), row(10000, 4.8, 1, 8, 0)},
		{row(50, 1, 1, 4, 0), row(10000, 2, 1, 6, 2)},
		{row(50, 8, 1, 4, 0)},
	})
	if len(rows) != 2 || rows[0].Rounds != 4 || rows[1].Rounds != 3 {
		t.Fatalf("got %+v, want two rows of 4 and 3 rounds", rows)
	}
	if got, want := rows[0].Set, (CurveCost{CPUPerOp: 2, Ratio: Spread{1, 1, 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("SET of 50: %+v, want %+v", got, want)
	}
	if got, want := rows[1].Set, (CurveCost{CPUPerOp: 3, Ratio: Spread{1.5, 1.2, 2}, Errors: 3}); !reflect.DeepEqual(got, want) {
		t.Errorf("SET of 10000: %+v, want %+v", got, want)
	}
	if got, want := *rows[1].PeerGet, (CurveCost{CPUPerOp: 6, Ratio: Spread{1.5, 1, 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("the peer's GET of 10000: %+v, want %+v", got, want)
	}
	table := curveTables("clients", rows)[1]
	if got := table.Rows[4][3]; got != "1.50 (1.20–2.00)" {
		t.Errorf("the ratio reads %q", got)
	}
}
