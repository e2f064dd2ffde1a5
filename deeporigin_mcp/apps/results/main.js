// The page: what is chosen, sorted and filtered, and which views show it.
import { byId, element, plural } from "../elements.js";
import { titleOf } from "./words.js";
import { fetchTexts, loadData, prepared } from "./data.js";
import { Hosted } from "./hosted.js";
import { PoseView } from "./pose.js";
import { Chart } from "./chart.js";
import { countText, filtered, ordered, Table } from "./table.js";
import { csvOf, MOST_POSES, save, sdfOf } from "./export.js";
import { compared, offerComparison, renew } from "./compare.js";

const TABS = ["table", "pose", "chart"];
/** Rows after the chosen one whose poses come along with its own. */
const SOON = 8;
const NOT_SAVED = "If no file comes, your client keeps pages from saving files: ask your assistant to use download_files.";

class Page {
  constructor(data) {
    this.data = data;
    this.chosen = null;
    this.sorting = { key: null, isDown: false };
    this.filter = { words: "", best: false, column: 0, low: null, high: null };
    this.pose = new PoseView(data, (row) => this.rows.slice(this.rows.indexOf(row) + 1).slice(0, SOON));
    this.chart = new Chart(data, (row) => this.choose(row));
    this.table = new Table(data, { choose: (row, opens) => this.choose(row, opens), order: (key) => this.sortBy(key) });
    this.head();
    this.filters();
    this.tabs();
    for (const [name, step] of [["before", -1], ["after", 1]]) byId(name).addEventListener("click", () => this.step(step));
    this.refresh();
    this.open("table");
    this.watch = new ResizeObserver(() => this.resized());
    for (const id of ["scroll", "viewer", "plot"]) this.watch.observe(byId(id));
    this.closed = new AbortController();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recoloured(), { signal: this.closed.signal });
    offerComparison(data, show);
  }

  /** The second step, for which the table does not wait: the first pose, or the chart. */
  begin() {
    if (!isNarrow()) this.open(this.has3d() ? "pose" : "chart");
    this.choose(this.data.rows.find((row) => row.shape != null || row.second != null) || null);
    document.body.dataset.state = this.data.rows.length ? "shown" : "empty";
  }

  /** More rows have come. */
  grew() {
    this.settle();
    this.table.head();
    this.chart.offer();
    this.refresh();
  }

  close() {
    this.watch.disconnect();
    this.closed.abort();
    delete document.body.dataset.state;
    renew();
  }

  has3d() {
    return Boolean(this.data.shapes.length || this.data.protein);
  }

  head() {
    const { run, notes } = this.data;
    byId("title").textContent = byId("title").title = run.name;
    document.title = `${run.name} – results`;
    byId("facts").replaceChildren(...run.facts.map(([label, value]) => element("span", { class: "fact", title: value }, element("b", { text: label }), ` ${value}`)));
    byId("notes").replaceChildren(...notes.map((text) => element("p", { text })));
    byId("simulated").hidden = !run.simulated;
    byId("csv").addEventListener("click", () => this.save("csv", "text/csv", async () => csvOf(this.data, this.rows)));
    byId("sdf").addEventListener("click", () => this.save("sdf", "chemical/x-mdl-sdfile", () => this.poses()));
    this.settle();
  }

  /** What depends on which rows are here. */
  settle() {
    const { rows, shapes, total = 0, run } = this.data;
    const isWhole = rows.length >= total;
    byId("csv").hidden = !rows.length || !isWhole;
    byId("sdf").hidden = !shapes.some((shape) => shape.format === "sdf") || !isWhole;
    byId("compare").hidden = !rows.length || !isWhole;
    byId("again").hidden = !hosted || (isWhole && run.final);
    byId("tab-pose").hidden = !this.has3d();
    byId("best-label").hidden = !rows.some((row) => row.best === false);
    this.columns();
  }

  async save(ending, type, make) {
    try {
      const text = await make();
      const name = `${this.data.run.file}.${ending}`;
      if (hosted && (await hosted.host.download(name, type, text))) return;
      save(name, type, text);
      if (hosted) note(NOT_SAVED);
    } catch (error) {
      note(`Nothing was saved: ${error.message}`);
    }
  }

  async poses() {
    const shapes = this.rows.flatMap((row) => [row.shape, row.second]).flatMap((shape) => (shape == null ? [] : [this.data.shapes[shape]]));
    if (hosted && shapes.length > MOST_POSES) throw new Error(`these are ${plural(shapes.length, "pose")}, and a page saves ${MOST_POSES}. Filter the rows, or ask your assistant to use download_files.`);
    await fetchTexts(shapes);
    return sdfOf(this.data, this.rows);
  }

  filters() {
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("input", () => {
      const limit = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
      this.filter = { words: byId("words").value, best: byId("best").checked, column: Number(byId("range-column").value), low: limit("low"), high: limit("high") };
      byId("scroll").scrollTop = 0;
      this.refresh();
    });
  }

  /** What can be limited. */
  columns() {
    const numeric = this.data.columns.filter((column) => column.isNumeric && !column.hidden);
    const listed = [...numeric.filter((column) => column.better), ...numeric.filter((column) => !column.better)];
    byId("range").hidden = !numeric.length;
    const { value } = byId("range-column");
    byId("range-column").replaceChildren(...listed.map((column) => element("option", { value: column.index, text: titleOf(column) })));
    if (listed.some(({ index }) => String(index) === value)) byId("range-column").value = value;
  }

  tabs() {
    const list = document.querySelector(".tabs");
    for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => this.open(name));
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const shown = TABS.filter((name) => byId(`tab-${name}`).offsetParent !== null);
      const next = shown[(shown.indexOf(this.view) + step + shown.length) % shown.length] || shown[0];
      this.open(next);
      byId(`tab-${next}`).focus();
    });
  }

  open(name) {
    this.view = name;
    document.body.dataset.view = name;
    for (const each of TABS) {
      byId(`tab-${each}`).setAttribute("aria-selected", each === name);
      byId(`tab-${each}`).tabIndex = each === name ? 0 : -1;
    }
    this.resized();
    if (name === "pose") this.pose.show(this.chosen);
  }

  sortBy(key) {
    const column = this.data.columns[key];
    const isSame = String(this.sorting.key) === String(key);
    // The first click puts the best on top.
    this.sorting = { key, isDown: isSame ? !this.sorting.isDown : column?.better === "higher" };
    this.refresh();
  }

  refresh() {
    const rows = filtered(this.data, this.filter);
    this.rows = this.sorting.key === null ? rows : ordered(rows, this.data.columns, this.sorting);
    byId("count").textContent = countText(this.rows.length, this.data.rows.length, this.data.total);
    this.table.show(this.rows, this.sorting);
    this.chart.show(this.rows, this.chosen);
  }

  choose(row, opens = false) {
    this.chosen = row;
    this.table.mark(row);
    this.chart.show(this.rows, row);
    if (opens && isNarrow() && this.has3d()) {
      this.open("pose");
      // The row that had the focus is out of sight.
      byId("tab-pose").focus();
    } else if (this.view !== "chart" && this.view !== "table") this.pose.show(row);
    this.isOpen = true;
  }

  /** To the next row with a pose, or to the one before. */
  step(by) {
    const has = ({ shape, second }) => shape != null || second != null;
    for (let at = this.rows.indexOf(this.chosen) + by; at >= 0 && at < this.rows.length; at += by) {
      if (!has(this.rows[at])) continue;
      this.table.reveal(at);
      this.choose(this.rows[at]);
      return;
    }
  }

  resized() {
    if (!isNarrow() && this.isOpen && this.view === "table") this.open(this.has3d() ? "pose" : "chart");
    for (const part of [byId("facts"), byId("notes")]) {
      // A keyboard can scroll only what it can reach.
      if (part.scrollHeight > part.clientHeight) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
    this.table.draw();
    this.chart.draw();
    this.pose.resized();
  }

  recoloured() {
    this.table.draw();
    this.chart.draw();
    this.pose.recoloured();
  }
}

function isNarrow() {
  return matchMedia("(max-width: 859px)").matches;
}

let page = null;
let hosted = null;

function show(data) {
  if (page) page.close();
  page = new Page(data);
  showMode();
  requestAnimationFrame(() => setTimeout(() => page.begin()));
}

function note(text) {
  if ([...byId("notes").children].some((line) => line.textContent === text)) return;
  byId("notes").append(element("p", { text }));
  byId("notes").lastChild.scrollIntoView({ block: "nearest" });
}

/** Instead of results: what goes on, or why there are none. */
function say(state, text) {
  document.body.dataset.state = state;
  byId("notes").replaceChildren(element("p", { text }));
}

function showMode() {
  byId("wide").hidden = !hosted?.canBeWide;
  byId("wide").textContent = hosted?.isWide ? "Leave full screen" : "Full screen";
}

async function inside() {
  say("loading", "Waiting for the results …");
  hosted = new Hosted(() => {
    showMode();
    page?.recoloured();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.id === "wide") hosted.toggleWide();
    if (target.id === "again") read(id);
  });
  const id = await hosted.connected();
  await read(id);
}

async function read(id) {
  if (!page) say("loading", "Loading the results …");
  let data = null;
  const begin = (first) => show((data = first));
  // Another run's page may have been opened beside it meanwhile.
  const grew = () => page.data === data && page.grew();
  byId("again").disabled = true;
  try {
    await hosted.read(id, begin, grew);
  } catch (error) {
    if (!page) throw error;
    if (data) note(`Only ${data.rows.length.toLocaleString("en")} of ${plural(data.total, "row")} could be loaded: ${error.message}`);
    else note(`The results could not be loaded again: ${error.message}`);
    byId("again").hidden = false;
  }
  byId("again").disabled = false;
}

async function start() {
  try {
    const data = loadData();
    if (data === null && Hosted.isInside()) return await inside();
    if (data === null) throw new Error("no data was put into it");
    return show(data.other ? compared(data, prepared(data.other)) : data);
  } catch (error) {
    return say("failed", `This page cannot show its results: ${error.message.replace(/\.$/, "")}.`);
  }
}

start();
