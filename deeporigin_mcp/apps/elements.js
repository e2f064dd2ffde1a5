// Elements of a page, and words that every page needs. Nothing here makes markup.

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

export function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

/** `0.20 USD`; a price of less than a cent keeps its digits. */
export function moneyText(amount) {
  if (typeof amount !== "number" || !Number.isFinite(amount)) return "";
  const digits = String(amount).split(".")[1] || "";
  return `${amount.toFixed(Math.min(6, Math.max(2, digits.length)))} USD`;
}

/** A colour of the theme that is in force, which a host may set, as a canvas takes it. */
export function colour(name) {
  const probe = byId("probe") || document.body.appendChild(element("i", { id: "probe", hidden: "" }));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
