// Where the data comes from: the only place that knows. A host that sends it would be asked here.
import { byId, decimalsOf, isNumber } from "./words.js";

/** What the page shows: {run, notes, columns, rows, shapes, protein}; null where no data was put into it. */
export async function loadData() {
  const data = JSON.parse(byId("data").textContent);
  if (data === null) return null;
  const { rows, columns } = data;
  if (!Array.isArray(rows) || !Array.isArray(columns)) throw new Error("it has no rows");
  columns.forEach((column, index) => {
    const values = rows.map((row) => row.values[index]);
    column.index = index;
    column.isNumeric = values.some(isNumber) && values.every((value) => value == null || isNumber(value));
    column.decimals = column.isNumeric ? decimalsOf(values) : 0;
  });
  rows.forEach((row, number) => (row.number = number));
  return data;
}
