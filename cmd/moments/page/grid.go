package page

import (
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// A Screen is what text is laid out for. The zero value is a plain file.
type Screen struct {
	Width  int  // columns; 0 for 110
	Colour bool // ANSI colours
	Rows   int  // of each table; 0 for 40
}

func (s Screen) complete() Screen {
	if s.Width <= 0 {
		s.Width = 110
	}
	if s.Rows <= 0 {
		s.Rows = 40
	}
	return s
}

// An ink is an ANSI colour or weight.
type ink string

// Up and down say the sign, not whether it is good: churn is better down.
const (
	plain ink = ""
	bold  ink = "1"
	faint ink = "2"
	up    ink = "36" // cyan
	down  ink = "33" // yellow
)

// inkOf is the colour of a sign.
func inkOf(x float64) ink {
	switch {
	case x > 0:
		return up
	case x < 0:
		return down
	}
	return plain
}

// A cell is a text and its colour.
type cell struct {
	text string
	ink  ink
}

// A column of a grid.
type column struct {
	head  string
	right bool // aligned to the right
	most  int  // width beyond which texts are cut; 0 for none
	give  int  // gives up width when the screen is narrow: 1 first, then 2 and 3, 0 never
}

// A grid is a table of text in aligned columns. Widths are counted in
// characters.
type grid struct {
	columns []column
	rows    [][]cell // a row of one cell is written across all columns
}

func (g *grid) add(cells ...cell) { g.rows = append(g.rows, cells) }

// padded fills a row up with empty cells.
func (g *grid) padded(cells ...cell) []cell {
	return append(cells, make([]cell, len(g.columns)-len(cells))...)
}

// widths are those of the columns on a screen, those that give cut to what is
// left; 0 means that a column is left out.
func (g *grid) widths(screen int) []int {
	widths, total := make([]int, len(g.columns)), 0
	for i, c := range g.columns {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, row := range g.rows {
			if len(row) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
			}
		}
		if c.most > 0 {
			widths[i] = min(widths[i], c.most)
		}
		total += widths[i] + 2
	}
	for turn := 1; turn <= 3; turn++ {
		for i, c := range g.columns {
			if c.give == turn && total-2 > screen {
				total -= widths[i] + 2
				if widths[i] = screen - total; widths[i] < leastColumn {
					widths[i] = 0
					continue
				}
				total += widths[i] + 2
			}
		}
	}
	return widths
}

// leastColumn is the width of a column that is worth showing.
const leastColumn = 6

// write lays the grid out.
func (g *grid) write(w io.Writer, s Screen) error {
	widths := g.widths(s.Width)
	heads := make([]cell, len(g.columns))
	for i, c := range g.columns {
		heads[i] = cell{c.head, faint}
	}
	var out strings.Builder
	for _, row := range append([][]cell{heads}, g.rows...) {
		g.writeRow(&out, row, widths, s.Colour)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (g *grid) writeRow(out *strings.Builder, row []cell, widths []int, colour bool) {
	if len(row) == 1 {
		out.WriteString(paint(row[0].text, row[0].ink, colour) + "\n")
		return
	}
	var line strings.Builder
	pending := 0 // spaces before the next text, so that no line ends in any
	for i, c := range row {
		if widths[i] == 0 {
			continue
		}
		text := cut(c.text, widths[i])
		space := widths[i] - utf8.RuneCountInString(text)
		if g.columns[i].right {
			pending += space
		}
		if text != "" {
			line.WriteString(strings.Repeat(" ", pending) + paint(text, c.ink, colour))
			pending = 0
		}
		if !g.columns[i].right {
			pending += space
		}
		pending += 2
	}
	out.WriteString(line.String() + "\n")
}

func paint(text string, i ink, colour bool) string {
	if !colour || i == plain || text == "" {
		return text
	}
	return "\x1b[" + string(i) + "m" + text + "\x1b[0m"
}

// cut shortens a text to so many characters.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	return strings.TrimRight(string([]rune(text)[:width-1]), " ") + "…"
}

// wrap breaks a text into lines of so many characters where it has spaces.
func wrap(text string, width int) string {
	var out strings.Builder
	length := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case length+1+n > width:
			out.WriteByte('\n')
			length = 0
		default:
			out.WriteByte(' ')
			length++
		}
		out.WriteString(word)
		length += n
	}
	return out.String() + "\n"
}

// bar draws a signed value on an axis in the middle of 2·half+1 characters, in
// steps of half a character.
func bar(value, largest float64, half int) string {
	halves := 0
	if largest > 0 && !math.IsNaN(value) {
		halves = int(math.Round(math.Abs(value) / largest * float64(2*half)))
	}
	full, rest := halves/2, halves%2
	if value < 0 {
		text := strings.Repeat("▐", rest) + strings.Repeat("█", full)
		return strings.Repeat(" ", half-full-rest) + text + "│"
	}
	return strings.Repeat(" ", half) + "│" + strings.Repeat("█", full) + strings.Repeat("▌", rest)
}
