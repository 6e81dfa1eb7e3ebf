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
	rows := []CurveRow{
		{Value: 3, Set: CurveCost{CPUPerOp: 4}, Get: CurveCost{CPUPerOp: 1}},
		{Value: 128, Set: CurveCost{CPUPerOp: 40, Errors: 3450, FirstError: "MOVED"}, Get: CurveCost{CPUPerOp: 1}},
	}
	compareTo(rows[0], rows)
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
