// The page: what is chosen, sorted and filtered, and which views show it.
import { byId, element, plural, titleOf } from "./words.js";
import { loadData } from "./data.js";
import { PoseView } from "./pose.js";
import { Chart } from "./chart.js";
import { countText, filtered, ordered, Table } from "./table.js";
import { csvOf, save, sdfOf } from "./export.js";

const TABS = ["table", "pose", "chart"];

class Page {
  constructor(data) {
    this.data = data;
    this.chosen = null;
    this.sorting = { key: null, isDown: false };
    this.filter = { words: "", best: false, column: 0, low: null, high: null };
    this.pose = new PoseView(data);
    this.chart = new Chart(data, (row) => this.choose(row));
    this.table = new Table(data, { choose: (row, opens) => this.choose(row, opens), order: (key) => this.sortBy(key) });
    this.head();
    this.filters();
    this.tabs();
    this.refresh();
    this.open("table");
    const watch = new ResizeObserver(() => this.resized());
    for (const id of ["scroll", "viewer", "plot"]) watch.observe(byId(id));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recoloured());
  }

  /** The second step, for which the table does not wait: the first pose, or the chart. */
  begin() {
    if (!isNarrow()) this.open(this.has3d() ? "pose" : "chart");
    this.choose(this.data.rows.find((row) => row.shape != null) || null);
    document.body.dataset.state = this.data.rows.length ? "shown" : "empty";
  }

  has3d() {
    return Boolean(this.data.shapes.length || this.data.protein);
  }

  head() {
    const { run, notes } = this.data;
    byId("title").textContent = run.name;
    document.title = `${run.name} – results`;
    byId("facts").replaceChildren(...run.facts.map(([label, value]) => element("span", { class: "fact" }, element("b", { text: label }), ` ${value}`)));
    byId("notes").replaceChildren(...notes.map((text) => element("p", { text })));
    byId("csv").addEventListener("click", () => save(`${run.file}.csv`, "text/csv", csvOf(this.data, this.rows)));
    byId("sdf").addEventListener("click", () => save(`${run.file}.sdf`, "chemical/x-mdl-sdfile", sdfOf(this.data, this.rows)));
    byId("csv").hidden = !this.data.rows.length;
    byId("sdf").hidden = !this.data.shapes.some((shape) => shape.format === "sdf");
  }

  filters() {
    const numeric = this.data.columns.filter((column) => column.isNumeric && !column.hidden);
    const listed = [...numeric.filter((column) => column.better), ...numeric.filter((column) => !column.better)];
    byId("range").hidden = !numeric.length;
    byId("range-column").replaceChildren(...listed.map((column) => element("option", { value: column.index, text: titleOf(column) })));
    byId("best-label").hidden = !this.data.rows.some((row) => row.best === false);
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("input", () => {
      const limit = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
      this.filter = { words: byId("words").value, best: byId("best").checked, column: Number(byId("range-column").value), low: limit("low"), high: limit("high") };
      byId("scroll").scrollTop = 0;
      this.refresh();
    });
  }

  tabs() {
    byId("tab-pose").hidden = !this.has3d();
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
    byId("count").textContent = countText(this.rows.length, this.data.rows.length);
    this.table.show(this.rows, this.sorting);
    this.chart.show(this.rows, this.chosen);
  }

  choose(row, opens = false) {
    this.chosen = row;
    this.table.mark(row);
    this.chart.show(this.rows, row);
    if (opens && isNarrow() && this.has3d()) this.open("pose");
    else if (this.view !== "chart" && this.view !== "table") this.pose.show(row);
    this.isOpen = true;
  }

  resized() {
    if (!isNarrow() && this.isOpen && this.view === "table") this.open(this.has3d() ? "pose" : "chart");
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

async function start() {
  try {
    const data = await loadData();
    if (data === null) throw new Error("no data was put into it");
    const page = new Page(data);
    requestAnimationFrame(() => setTimeout(() => page.begin()));
  } catch (error) {
    document.body.dataset.state = "failed";
    byId("notes").replaceChildren(element("p", { class: "error", text: `This page cannot show its results: ${error.message}.` }));
  }
}

start();
