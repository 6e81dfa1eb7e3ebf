package versus

import (
	"cmp"
	"slices"
)

// medians merges the rounds' rows, of which the last may have fewer, and sets the ratios.
func medians(rounds [][]CurveRow) (out []CurveRow) {
	for i := 0; ; i++ {
		var rows, firsts []CurveRow
		for _, r := range rounds {
			if i < len(r) {
				rows, firsts = append(rows, r[i]), append(firsts, r[0])
			}
		}
		if len(rows) == 0 {
			return out
		}
		out = append(out, medianRow(rows, firsts))
	}
}

// medianRow merges one value's rows; firsts are the first ones of their rounds.
func medianRow(rows, firsts []CurveRow) CurveRow {
	merged := CurveRow{Value: rows[0].Value, Rounds: len(rows)}
	merge := func(of, first func(CurveRow) *CurveCost) *CurveCost {
		if of(rows[0]) == nil {
			return nil
		}
		c := medianCost(each(rows, of))
		c.Ratio = spreadOf(ratios(each(each(rows, of), cpuPerOp), each(each(firsts, first), cpuPerOp)))
		return &c
	}
	set, get := func(r CurveRow) *CurveCost { return &r.Set }, func(r CurveRow) *CurveCost { return &r.Get }
	peerSet, peerGet := func(r CurveRow) *CurveCost { return r.PeerSet }, func(r CurveRow) *CurveCost { return r.PeerGet }
	merged.Set, merged.Get = *merge(set, set), *merge(get, get)
	merged.Written = merge(func(r CurveRow) *CurveCost { return r.Written }, set)
	merged.PeerSet, merged.PeerGet = merge(peerSet, peerSet), merge(peerGet, peerGet)
	return merged
}

func cpuPerOp(c *CurveCost) float64 { return c.CPUPerOp }

// medianCost merges what was measured several times, but for the ratio.
func medianCost(all []*CurveCost) (out CurveCost) {
	median := func(of func(*CurveCost) float64) float64 { return spreadOf(each(all, of)).Median }
	out = CurveCost{
		CPUPerOp:  median(cpuPerOp),
		OpsPerSec: median(func(c *CurveCost) float64 { return c.OpsPerSec }),
		P99:       int64(median(func(c *CurveCost) float64 { return float64(c.P99) })),
		P999:      int64(median(func(c *CurveCost) float64 { return float64(c.P999) })),
		GC:        median(func(c *CurveCost) float64 { return c.GC }),
		Stops:     slices.MaxFunc(each(all, func(c *CurveCost) Pauses { return c.Stops }), longer),
	}
	for _, c := range all {
		out.Errors, out.Unanswered = out.Errors+c.Errors, out.Unanswered+c.Unanswered
		if out.FirstError == "" {
			out.FirstError = c.FirstError
		}
	}
	return out
}

func longer(a, b Pauses) int { return cmp.Compare(a.Longest, b.Longest) }
