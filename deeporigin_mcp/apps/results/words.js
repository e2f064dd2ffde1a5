// Words and numbers as a reader sees them. Nothing here makes markup.

export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** How many decimals a column of numbers needs, so that its points stand below each other: at most 3. */
export function decimalsOf(values) {
  const numbers = values.filter(isNumber);
  if (numbers.every(Number.isInteger)) return 0;
  const largest = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest >= 100 ? 1 : largest >= 10 ? 2 : 3;
}

export function shownValue(value, column) {
  if (value == null || value === "") return "–";
  if (isNumber(value)) {
    const isTiny = value !== 0 && Math.abs(value) < 0.001 && column.decimals > 0;
    const text = Math.abs(value) >= 1e9 || isTiny ? value.toExponential(2) : value.toFixed(column.decimals);
    return `${column.isSigned && value > 0 ? "+" : ""}${text}`.replace("-", "−");
  }
  if (value === true) return "yes";
  if (value === false) return "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `Binding energy (kcal/mol)`. */
export function titleOf(column) {
  return column.unit ? `${column.label} (${column.unit})` : column.label;
}
