// A scatter of two columns, or bars of one by molecule. What it shows is in the table too.
import { byId, colour, element, plural } from "../elements.js";
import { isNumber, shownValue, titleOf } from "./words.js";

const BY_NAME = "name";
const MOST_BARS = 60;
const EDGE = { left: 64, right: 16, top: 14, bottom: 46 };

export class Chart {
  constructor(data, choose) {
    this.data = data;
    this.rows = [];
    this.points = [];
    this.chosen = null;
    this.offer();
    for (const id of ["x", "y"]) byId(id).addEventListener("change", () => this.draw());
    byId("axes").addEventListener("submit", (event) => event.preventDefault());
    byId("chart").addEventListener("click", (event) => {
      const row = this.at(event);
      if (row) choose(row);
    });
    byId("chart").addEventListener("mousemove", (event) => this.tell(this.at(event) || this.chosen));
  }

  /** The columns to choose from; also when rows have come, which may have other columns filled. */
  offer() {
    const { data } = this;
    const numeric = data.columns.filter((column) => column.isNumeric && !column.hidden);
    const isNew = this.isEmpty ?? true;
    this.isEmpty = !numeric.length;
    const told = numeric.filter((column) => column.better);
    const up = told[0] || numeric.find((column) => !/rank|position/.test(column.name)) || numeric[0];
    const across = told[1] || null;
    const first = data.axes || [across ? across.index : BY_NAME, up && up.index];
    const [x, y] = isNew ? first : ["x", "y"].map((id) => byId(id).value);
    fill(byId("x"), [[BY_NAME, "Molecule (bars)"], ...numeric.map((column) => [column.index, titleOf(column)])], x);
    fill(byId("y"), numeric.map((column) => [column.index, titleOf(column)]), y);
  }

  show(rows, chosen) {
    this.rows = rows.filter((row) => !row.reason);
    this.chosen = chosen;
    this.draw();
  }

  draw() {
    const canvas = byId("chart");
    const { clientWidth: width, clientHeight: height } = byId("plot");
    byId("axes").hidden = this.isEmpty;
    if (this.isEmpty) this.tell(null);
    if (!width || !height || this.isEmpty) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.box = { left: EDGE.left, top: EDGE.top, width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    const y = this.data.columns[byId("y").value];
    if (byId("x").value === BY_NAME) this.bars(pen, y);
    else this.scatter(pen, this.data.columns[byId("x").value], y);
    this.tell(this.chosen);
  }

  scatter(pen, x, y) {
    const rows = this.rows.filter((row) => isNumber(row.values[x.index]) && isNumber(row.values[y.index]));
    const of = (...columns) => scaleOf(columns.flatMap((column) => rows.map((row) => row.values[column.index])));
    // Two runs' values of the same thing share a scale, and a line shows where they are equal.
    const isPair = x.base && x.base === y.base && !x.isSigned && !y.isSigned;
    const [across, up] = isPair ? [of(x, y), of(x, y)] : [of(x), of(y)];
    this.frame(pen, up, y);
    const { box } = this;
    pen.fillStyle = colour("quiet");
    pen.textAlign = "center";
    for (const tick of across.ticks) pen.fillText(tickText(tick, across), box.left + across.at(tick) * box.width, box.top + box.height + 18);
    pen.fillStyle = colour("ink");
    pen.fillText(axisTitle(x), box.left + box.width / 2, box.top + box.height + 38);
    if (isPair) {
      pen.strokeStyle = colour("quiet");
      pen.setLineDash([4, 4]);
      pen.beginPath();
      pen.moveTo(box.left, box.top + box.height);
      pen.lineTo(box.left + box.width, box.top);
      pen.stroke();
      pen.setLineDash([]);
    }
    this.points = rows.map((row) => ({ row, x: box.left + across.at(row.values[x.index]) * box.width, y: box.top + (1 - up.at(row.values[y.index])) * box.height }));
    const size = rows.length > 2000 ? 2 : rows.length > 200 ? 3 : 5;
    pen.globalAlpha = rows.length > 200 ? 0.55 : 0.85;
    pen.fillStyle = colour("mark");
    for (const point of this.points) dot(pen, point, size);
    pen.globalAlpha = 1;
    const chosen = this.points.find((point) => point.row === this.chosen);
    if (chosen) {
      pen.fillStyle = colour("chosen");
      dot(pen, chosen, size + 3);
    }
    byId("chart").setAttribute("aria-label", `Scatter of ${titleOf(y)} against ${titleOf(x)}, ${rows.length} points`);
  }

  bars(pen, y) {
    const sign = y.better === "lower" ? 1 : -1;
    const rows = this.rows.filter((row) => isNumber(row.values[y.index])).sort((one, other) => sign * (one.values[y.index] - other.values[y.index]));
    const shown = rows.slice(0, MOST_BARS);
    const order = y.better ? "best" : "highest";
    this.cut = rows.length - shown.length;
    const up = scaleOf([0, ...shown.map((row) => row.values[y.index])], false);
    this.frame(pen, up, y);
    const { box } = this;
    const step = box.width / Math.max(1, shown.length);
    const zero = box.top + (1 - up.at(0)) * box.height;
    this.points = shown.map((row, index) => {
      const top = box.top + (1 - up.at(row.values[y.index])) * box.height;
      const thick = Math.min(48, Math.max(1, step * 0.72));
      const left = box.left + step * (index + 0.5) - thick / 2;
      pen.fillStyle = colour(row === this.chosen ? "chosen" : "mark");
      pen.fillRect(left, Math.min(top, zero), thick, Math.max(1, Math.abs(zero - top)));
      return { row, x: left + thick / 2, y: top, from: left, to: left + thick };
    });
    pen.fillStyle = colour("ink");
    pen.textAlign = "center";
    if (step > 46) shown.forEach((row, index) => pen.fillText(shortened(pen, row.name, step - 6), box.left + step * (index + 0.5), box.top + box.height + 18));
    pen.fillText(this.cut ? `${order} ${shown.length} of ${rows.length.toLocaleString("en")}` : `molecules, ${order} first`, box.left + box.width / 2, box.top + box.height + 38);
    byId("chart").setAttribute("aria-label", `Bars of ${titleOf(y)}, ${order} ${shown.length} of ${plural(rows.length, "row")}`);
  }

  frame(pen, up, y) {
    const { box } = this;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const tick of up.ticks) {
      const at = box.top + (1 - up.at(tick)) * box.height;
      pen.strokeStyle = colour("line");
      pen.beginPath();
      pen.moveTo(box.left, at);
      pen.lineTo(box.left + box.width, at);
      pen.stroke();
      pen.fillStyle = colour("quiet");
      pen.fillText(tickText(tick, up), box.left - 8, at);
    }
    pen.save();
    pen.translate(14, box.top + box.height / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillStyle = colour("ink");
    pen.fillText(shortened(pen, pen.measureText(axisTitle(y)).width > box.height ? titleOf(y) : axisTitle(y), box.height), 0, 0);
    pen.restore();
  }

  at(event) {
    const place = byId("chart").getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const bar = this.points.find((point) => point.from !== undefined && x >= point.from && x <= point.to);
    if (bar) return bar.row;
    let [best, least] = [null, 14];
    for (const point of this.points) {
      const far = point.from === undefined ? Math.hypot(point.x - x, point.y - y) : Infinity;
      if (far < least) [best, least] = [point.row, far];
    }
    return best;
  }

  tell(row) {
    const columns = [byId("x").value, byId("y").value].filter((value) => value !== BY_NAME && value !== "").map((value) => this.data.columns[value]);
    const text = row && !row.reason ? `${row.name}: ${columns.map((column) => `${titleOf(column)} ${shownValue(row.values[column.index], column)}`).join(", ")}` : "Point at a mark to see which molecule it is.";
    byId("chart-text").textContent = this.isEmpty ? "The rows have no numbers to draw." : text;
  }
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value, text })));
  if (chosen != null) select.value = chosen;
}

function scaleOf(values, hasMargin = true) {
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - 1, high + 1];
  if (hasMargin) [low, high] = [low - (high - low) * 0.06, high + (high - low) * 0.06];
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const ticks = [];
  for (let tick = Math.ceil(low / step); tick * step <= high + step * 1e-9; tick += 1) ticks.push(tick * step);
  return { ticks, step, at: (value) => (value - low) / (high - low) };
}

function tickText(tick, { step }) {
  const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(step))));
  return (Math.abs(tick) < step / 1e6 ? 0 : tick).toFixed(decimals).replace("-", "−");
}

function axisTitle(column) {
  return column.better ? `${titleOf(column)} · ${column.better} is better` : titleOf(column);
}

function dot(pen, { x, y }, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function shortened(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let kept = text.slice(0, 40);
  while (kept && pen.measureText(`${kept}…`).width > width) kept = kept.slice(0, -1);
  return `${kept}…`;
}
