// The table: only the rows in view are in the document, however many there are.
import { byId, element, plural } from "../elements.js";
import { shownValue, titleOf } from "./words.js";
import { structureOf } from "./structures.js";

const SPARE = 6;
/** Characters of a head's word that its column makes room for. */
const MOST_OF_WORD = 16;

export class Table {
  constructor(data, { choose, order }) {
    this.data = data;
    this.choose = choose;
    this.order = order;
    this.rows = [];
    this.chosen = null;
    this.head();
    const scroll = byId("scroll");
    scroll.addEventListener("scroll", () => this.ask(), { passive: true });
    this.body = byId("table").tBodies[0];
    this.body.addEventListener("click", (event) => {
      const line = event.target.closest("tr[data-at]");
      if (!line) return;
      const at = Number(line.dataset.at);
      this.choose(this.rows[at], true);
      this.focus(at);
    });
    this.body.addEventListener("keydown", (event) => this.move(event));
  }

  /** Also when rows have come, which may have other columns filled. */
  head() {
    this.columns = this.data.columns.filter((column) => !column.hidden);
    this.hasStructures = this.data.rows.some((row) => row.smiles);
    const heads = [{ key: "name", label: "Name", kind: "name" }];
    if (this.hasStructures) heads.push({ label: "Structure", kind: "structure" });
    for (const column of this.columns) heads.push({ key: column.index, label: column.label, column, kind: column.isNumeric ? `number${column.decimals ? "" : " whole"}` : "text" });
    const line = element("tr", { "aria-rowindex": 1 });
    const widths = element("colgroup");
    for (const { key, label, column, kind } of heads) {
      const width = element("col", { class: kind });
      // A word of a head is not broken, unless it is a very long one.
      width.style.setProperty("--word", `${Math.min(MOST_OF_WORD, Math.max(...label.split(/[\s-]/).map((word) => word.length)))}ch`);
      widths.append(width);
      const cell = element("th", { scope: "col", class: kind });
      if (key === undefined) cell.textContent = label;
      else {
        const about = column ? [column.unit, column.better && `${column.better} is better`].filter(Boolean) : [];
        const button = element("button", { type: "button", class: "sort", title: column?.meaning || null }, element("span", { text: label }), ...about.map((text) => element("small", { text })));
        button.addEventListener("click", () => this.order(key));
        cell.dataset.key = key;
        cell.append(button);
      }
      line.append(cell);
    }
    this.width = heads.length;
    byId("table").tHead.replaceChildren(line);
    byId("table").querySelector("colgroup")?.remove();
    byId("table").caption.after(widths);
  }

  show(rows, { key, isDown }) {
    this.rows = rows;
    byId("table").setAttribute("aria-rowcount", rows.length + 1);
    for (const cell of byId("table").tHead.querySelectorAll("th[data-key]")) {
      const isKey = cell.dataset.key === String(key);
      if (isKey) cell.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.draw();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  /** Where there is little height, a row takes less of it. */
  measure() {
    const height = !this.hasStructures ? 40 : innerHeight <= 560 ? 84 : 116;
    if (height === this.rowHeight) return;
    const first = byId("scroll").scrollTop / (this.rowHeight || height);
    this.rowHeight = height;
    byId("table").style.setProperty("--row", `${height}px`);
    byId("scroll").scrollTop = first * height;
  }

  draw() {
    this.measure();
    const scroll = byId("scroll");
    const top = Math.max(0, scroll.scrollTop - byId("table").tHead.offsetHeight);
    const first = Math.max(0, Math.floor(top / this.rowHeight) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((top + (scroll.clientHeight || 900)) / this.rowHeight) + SPARE);
    const focused = this.body.contains(document.activeElement) ? document.activeElement.closest("tr").dataset.at : null;
    const lines = [];
    if (first > 0) lines.push(this.space(first));
    for (let at = first; at < last; at += 1) lines.push(this.line(at));
    if (last < this.rows.length) lines.push(this.space(this.rows.length - last));
    if (!this.rows.length) lines.push(element("tr", {}, element("td", { class: "empty", colspan: this.width, text: this.data.rows.length ? "No row fits the filter." : "The run has no results." })));
    this.body.replaceChildren(...lines);
    if (focused !== null) this.focus(Number(focused));
  }

  space(count) {
    const line = element("tr", { "aria-hidden": "true", class: "space" }, element("td", { colspan: this.width }));
    line.style.height = `${count * this.rowHeight}px`;
    return line;
  }

  line(at) {
    const row = this.rows[at];
    const isChosen = row === this.chosen;
    const line = element("tr", { "data-at": at, "aria-rowindex": at + 2, class: row.reason ? "missing" : null, "aria-current": isChosen ? "true" : null });
    const name = element("button", { type: "button", class: "pick", text: row.name, title: row.name, tabindex: isChosen || (!this.isVisible(this.chosen) && at === 0) ? 0 : -1 });
    line.append(element("th", { scope: "row", class: "name" }, name, ...(row.only ? [element("small", { class: "quiet", text: row.only, title: row.only })] : [])));
    if (this.hasStructures) line.append(element("td", { class: "structure" }, structureOf(row.smiles, row.name)));
    if (row.reason) {
      line.append(element("td", { class: "reason", colspan: Math.max(1, this.columns.length), title: row.reason }, element("span", { text: `No result: ${row.reason}` })));
      return line;
    }
    for (const column of this.columns) {
      const text = shownValue(row.values[column.index], column);
      line.append(element("td", { class: column.isNumeric ? "number" : "text", text, title: column.isNumeric ? null : text }));
    }
    return line;
  }

  isVisible(row) {
    return row !== null && this.rows.includes(row);
  }

  mark(row) {
    this.chosen = row;
    this.draw();
  }

  move(event) {
    const line = event.target.closest("tr[data-at]");
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (!line || !(event.key in steps)) return;
    event.preventDefault();
    const at = Math.min(this.rows.length - 1, Math.max(0, Number(line.dataset.at) + steps[event.key]));
    this.reveal(at);
    this.draw();
    this.focus(at);
    this.choose(this.rows[at]);
  }

  reveal(at) {
    const scroll = byId("scroll");
    const room = scroll.clientHeight - byId("table").tHead.offsetHeight;
    const top = at * this.rowHeight;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (top + this.rowHeight > scroll.scrollTop + room) scroll.scrollTop = top + this.rowHeight - room;
  }

  focus(at) {
    this.body.querySelector(`tr[data-at="${at}"] .pick`)?.focus({ preventScroll: true });
  }
}

/** Missing rows last, whatever the order. */
export function ordered(rows, columns, { key, isDown }) {
  const sign = isDown ? -1 : 1;
  const valueOf = key === "name" ? (row) => row.name : (row) => row.values[key];
  return rows.slice().sort((one, other) => {
    if (one.reason || other.reason) return Boolean(one.reason) - Boolean(other.reason) || one.number - other.number;
    const [a, b] = [valueOf(one), valueOf(other)];
    if (a == null || b == null) return (a == null) - (b == null) || one.number - other.number;
    const apart = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
    return sign * apart || one.number - other.number;
  });
}

export function filtered(data, { words, best, column, low, high }) {
  const wanted = words.trim().toLowerCase();
  return data.rows.filter((row) => {
    if (wanted && ![row.name, row.smiles, row.ligand, row.reason, row.only].some((text) => String(text || "").toLowerCase().includes(wanted))) return false;
    if (best && row.best === false) return false;
    if (low === null && high === null) return true;
    const value = row.values[column];
    return typeof value === "number" && (low === null || value >= low) && (high === null || value <= high);
  });
}

export function countText(shown, here, total = here) {
  const text = shown === here ? plural(here, "row") : `${shown.toLocaleString("en")} of ${plural(here, "row")}`;
  return here < total ? `${text}, ${(total - here).toLocaleString("en")} more are coming` : text;
}
