// The page's data: what was put into it, or what a host sends (hosted.js). Only these two know where it comes from.
import { byId } from "../elements.js";
import { decimalsOf, isNumber } from "./words.js";

/** Shapes whose coordinates are kept, if they came from a host. */
const MOST_TEXTS = 60;
const fetched = new Set();

/**
 * {run, notes, columns, rows, shapes, protein}, in a comparison {other} of the same form; null where there is no data.
 * Shapes and protein have `text`, their coordinates, or `source`, which fetches it.
 */
export function loadData() {
  const data = JSON.parse(byId("data").textContent);
  return data === null ? null : prepared(data);
}

/** Again when rows have come. */
export function prepared(data) {
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

export function isHere(part) {
  return part.text != null;
}

/** Give shapes and proteins their `text`, or say in `problem` why they have none. `soon` comes along if there is room. */
export async function fetchTexts(parts, soon = []) {
  const lacking = parts.filter((part) => !isHere(part));
  if (!lacking.length) return;
  await lacking[0].source([...lacking, ...soon.filter((part) => part.source && !isHere(part))], lacking.length);
  for (const part of [...soon, ...parts]) {
    if (!part.source || !isHere(part) || part.isLasting) continue;
    fetched.delete(part);
    fetched.add(part);
  }
  for (const part of fetched) {
    if (fetched.size <= Math.max(MOST_TEXTS, parts.length)) break;
    fetched.delete(part);
    delete part.text;
  }
}
