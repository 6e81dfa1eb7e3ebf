package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/quorate/quorate/client/load/plot"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
)

// Run is what the page is about.
type Run struct {
	Title string
	OK    bool
	// Facts are what a reader must know to run it again, as name and text, in order.
	Facts   [][2]string
	Counts  history.Counts
	Results []check.Result
	Ops     []history.Op
	Events  []nemesis.Event
	// Recovery belongs to Events, one by one.
	Recovery []check.Recovery
	// Picture is porcupine's page of a violation, "" if there is none, and PictureFile where it is, relative to the page.
	Picture, PictureFile string
	// Logs are the nodes' log files, relative to the page.
	Logs []string
}

//go:embed page.html
var source string

var page = template.Must(template.Must(plot.Templates.Clone()).New("page").Funcs(template.FuncMap{
	"waited": waited,
	"since":  func(from, to int64) string { return waited(time.Duration(to - from)) },
	"at":     func(ns int64) string { return fmt.Sprintf("%.1f s", float64(ns)/1e9) },
	"fixed":  func(v float64) string { return fmt.Sprintf("%.1f", v) },
}).Parse(source))

// waited rounds for people; a negative time is for ever.
func waited(d time.Duration) string {
	switch {
	case d < 0:
		return "never"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// row is a fault with how clients lived through it.
type row struct {
	nemesis.Event
	Clients check.Recovery
}

// Write draws r.
func Write(w io.Writer, r Run) error {
	var rows []row
	for i, e := range r.Events {
		x := row{Event: e}
		if i < len(r.Recovery) {
			x.Clients = r.Recovery[i]
		}
		rows = append(rows, x)
	}
	return page.Execute(w, map[string]any{"Run": r, "Rows": rows, "Charts": charts(r.Ops, r.Events)})
}
