package kernel

// Gather looks ids up in tables stacked in one: column c of ids has the table
// that starts at row offsets[c] and ends where the next one starts. ids is
// (rows, columns), whole numbers from 0; table is (all rows, width); dst is
// (rows, columns·width). An id outside its table, or not a number, reads the
// table's first row, where missing values live: kernels do not fail on data,
// whoever lets ids in must check them.
func Gather(dst, ids, table []float32, rows, columns, width int, offsets []int) {
	need("gather", "dst", len(dst), rows*columns*width)
	needTables("gather", ids, table, rows, columns, width, offsets)
	eachTable(ids, table, rows, columns, width, offsets, func(c int, l lookup) { active.gather(dst[c*width:], l) })
}

// ScatterAdd adds the gradients of Gather: each row of dy (rows, columns·width)
// is added to the row of dtable that Gather read for it.
func ScatterAdd(dtable, ids, dy []float32, rows, columns, width int, offsets []int) {
	need("scatter", "dy", len(dy), rows*columns*width)
	needTables("scatter", ids, dtable, rows, columns, width, offsets)
	eachTable(ids, dtable, rows, columns, width, offsets, func(c int, l lookup) { active.scatterAdd(dy[c*width:], l) })
}

// A lookup is one column of ids and its table.
type lookup struct {
	ids         []float32 // columns apart
	table       []float32 // (size, width)
	rows, width int
	columns     int
}

// eachTable calls run for every column.
func eachTable(ids, table []float32, rows, columns, width int, offsets []int, run func(c int, l lookup)) {
	if rows == 0 || width == 0 {
		return
	}
	for c := range columns {
		first, end := offsets[c], len(table)/width
		if c+1 < len(offsets) {
			end = offsets[c+1]
		}
		run(c, lookup{ids[c:], table[first*width : max(end, first+1)*width], rows, width, columns})
	}
}

// row is the part of the table that id i names.
func (l lookup) row(i int) []float32 {
	id, at := l.ids[i*l.columns], 0
	if id > 0 && id < float32(len(l.table)/l.width) { // false for NaN
		at = int(id) * l.width
	}
	return l.table[at : at+l.width]
}

// goGather copies the rows that ids name to rows of dst, columns·width apart.
func goGather(dst []float32, l lookup) {
	for i := range l.rows {
		copy(dst[i*l.columns*l.width:], l.row(i))
	}
}

// goScatterAdd adds rows of dy, columns·width apart, to the rows that ids name.
func goScatterAdd(dy []float32, l lookup) {
	for i := range l.rows {
		goAxpy(l.row(i), 1, dy[i*l.columns*l.width:])
	}
}

func needTables(kernel string, ids, table []float32, rows, columns, width int, offsets []int) {
	need(kernel, "ids", len(ids), rows*columns)
	need(kernel, "offsets", len(offsets), columns)
	if columns > 0 {
		need(kernel, "table", len(table), (offsets[columns-1]+1)*width)
	}
}
