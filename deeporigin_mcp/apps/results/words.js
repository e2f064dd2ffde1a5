// Words and numbers as a reader sees them. Nothing here makes markup.

export function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  if (text != null) made.textContent = text;
  made.append(...children);
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

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
    return text.replace("-", "−");
  }
  if (value === true) return "yes";
  if (value === false) return "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `Binding energy (kcal/mol)`. */
export function titleOf(column) {
  return column.unit ? `${column.label} (${column.unit})` : column.label;
}

/** A colour of the theme that is in force. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}
