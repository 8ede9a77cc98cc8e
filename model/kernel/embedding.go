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
	all := len(table) / width
	for i := 0; i < rows*columns; i += columns {
		for c, id := range ids[i : i+columns] {
			at := tableRow(id, c, all, offsets) * width
			copy(dst[(i+c)*width:(i+c+1)*width], table[at:at+width])
		}
	}
}

// ScatterAdd adds the gradients of Gather: each row of dy (rows, columns·width)
// is added to the row of dtable that Gather read for it.
func ScatterAdd(dtable, ids, dy []float32, rows, columns, width int, offsets []int) {
	need("scatter", "dy", len(dy), rows*columns*width)
	needTables("scatter", ids, dtable, rows, columns, width, offsets)
	all := len(dtable) / width
	for i := 0; i < rows*columns; i += columns {
		for c, id := range ids[i : i+columns] {
			at := tableRow(id, c, all, offsets) * width
			active.axpy(dtable[at:at+width], 1, dy[(i+c)*width:(i+c+1)*width])
		}
	}
}

func needTables(kernel string, ids, table []float32, rows, columns, width int, offsets []int) {
	need(kernel, "ids", len(ids), rows*columns)
	need(kernel, "offsets", len(offsets), columns)
	if columns > 0 {
		need(kernel, "table", len(table), (offsets[columns-1]+1)*width)
	}
}

// tableRow is the row of the stacked tables, all rows high, that id of column c reads.
func tableRow(id float32, c, all int, offsets []int) int {
	end := all
	if c+1 < len(offsets) {
		end = offsets[c+1]
	}
	first := offsets[c]
	if id > 0 && id < float32(end-first) { // false for NaN
		return first + int(id)
	}
	return first
}
