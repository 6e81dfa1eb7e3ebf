package plot

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

// Size of a chart, in pixels of its own: the page scales it. The plot lies between Left and Right, Top and Bottom.
const (
	Width, Height = 860.0, 300.0
	Left, Right   = 70.0, 850.0
	Top, Bottom   = 12.0, 264.0
)

// Chart is a plot as the template "chart" draws it.
type Chart struct {
	Title, Note string
	X, Y        []Tick
	Bands       []Band
	Series      []Series
}

// Band is a stretch of the X axis that stands out, behind the lines.
type Band struct {
	From, To float64
	// Text shows when it is pointed at; Short is written at its top if there is room.
	Text, Short string
	// Color is the number of a style in the page.
	Color int
}

// Wide is the band's width.
func (b Band) Wide() float64 { return b.To - b.From }

// Series is one line. Color is the number of a style in the page.
type Series struct {
	Name  string
	Color int
	Line  string // points of a polyline
	Dots  []Dot
}

// Dot is a place that says its value when pointed at.
type Dot struct {
	X, Y float64
	Text string
}

// maxDots bounds what a browser must draw; longer lines have no dots.
const maxDots = 1200

// Line joins dots.
func Line(name string, color int, dots []Dot) Series {
	var b strings.Builder
	for _, d := range dots {
		fmt.Fprintf(&b, "%.1f,%.1f ", d.X, d.Y)
	}
	s := Series{Name: name, Color: color, Line: b.String()}
	if len(dots) <= maxDots {
		s.Dots = dots
	}
	return s
}

//go:embed plot.html
var source string

// Templates are "style", for the head of a page, and "chart", which draws a Chart. Clone them to add a page.
var Templates = template.Must(template.New("plot").Funcs(template.FuncMap{
	"add": func(a, b float64) float64 { return a + b },
	"size": func() map[string]float64 {
		return map[string]float64{"Width": Width, "Height": Height, "Left": Left, "Right": Right, "Top": Top, "Bottom": Bottom, "Tall": Bottom - Top}
	},
}).Parse(source))
