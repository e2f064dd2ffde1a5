// The monitor: all runs of a wait, read again and again until they are over or nobody looks.
import { byId, element, moneyText, plural } from "../elements.js";
import { firstLine, Host } from "../host.js";
import { countsOf, countsText } from "./words.js";
import { Row } from "./row.js";

const SHORTEST_MS = 4_000;
const LONGEST_MS = 30_000;
const GROWTH = 1.3;
const MOST_HEIGHT = 500;
const FILTERED_FROM = 8;
const MOST_TOLD = 20;

class Monitor {
  constructor() {
    this.host = new Host("deeporigin-monitor", ["inline", "fullscreen"]);
    this.rows = new Map();
    this.buttons = new Map();
    this.pending = new Set();
    this.opened = null;
    this.filter = "";
    this.pause = SHORTEST_MS;
    this.isSeen = true;
    this.sawOneGo = false;
  }

  async start() {
    this.host.on = {
      input: (args) => this.begin(args.execution_ids),
      result: (result) => this.waited(result),
      cancelled: () => this.rows.size || this.say("The call was cancelled before it named a run."),
      context: () => this.resized(),
      teardown: () => this.halt(),
    };
    byId("full").addEventListener("click", () => this.full());
    document.addEventListener("visibilitychange", () => this.wake());
    new IntersectionObserver(([entry]) => {
      this.isSeen = entry.isIntersecting;
      this.wake();
    }).observe(document.body);
    new ResizeObserver(() => this.resized()).observe(byId("table"));
    await this.host.connect();
    byId("full").hidden = !(this.host.context.availableDisplayModes || []).includes("fullscreen");
    this.resized();
  }

  /** The ids of a call whose result may be a minute away. */
  begin(ids) {
    if (!Array.isArray(ids)) return;
    for (const id of ids) if (typeof id === "string" && id.trim()) this.add(id.trim());
    this.show();
    this.wake();
  }

  add(id) {
    if (this.rows.has(id)) return;
    const row = new Row(id, this);
    this.rows.set(id, row);
    this.pending.add(id);
    byId("table").append(row.body);
    row.draw();
  }

  /** What came of wait_executions. */
  waited(result) {
    const view = result.structuredContent || {};
    if (result.isError || !Array.isArray(view.executions)) {
      if (this.rows.size) return;
      document.body.dataset.state = "failed";
      return this.say(firstLine(result) || "The call named no run.");
    }
    for (const data of view.executions) this.add(data.execution_id);
    this.take(view, view.executions);
    if (!this.opened && this.rows.size === 1) this.open(this.rows.values().next().value);
    this.wake();
  }

  /** Rows that were read now, and which of them are not over. */
  take(view, rows) {
    const pending = new Set(view.pending);
    let hasChanged = false;
    for (const data of rows) {
      const row = this.rows.get(data.execution_id);
      if (!row) continue;
      // What was read before and cannot be read now is neither over nor unknown.
      const isLost = Boolean(data.error && !data.status && row.data.status);
      if (isLost) row.lose(data.error, row.readAt ? this.clock(row.readAt) : "");
      else {
        hasChanged ||= row.data.status !== data.status || row.data.progress_percent !== data.progress_percent;
        row.update(data, pending.has(row.id));
        row.readAt = this.goodAt;
      }
      if (row.isPending) this.pending.add(row.id);
      else this.pending.delete(row.id);
      if (row.isPending && row.data.status) this.sawOneGo = true;
    }
    this.pause = hasChanged ? SHORTEST_MS : Math.min(LONGEST_MS, this.pause * GROWTH);
    this.show();
  }

  // Reading again

  get canCall() {
    return Boolean(this.host.capabilities.serverTools);
  }

  /** Read now, if it is time for that and somebody looks. */
  wake() {
    clearTimeout(this.timer);
    if (this.isReading || !this.rows.size) return;
    if (!this.canCall) return this.show();
    if (document.hidden || !this.isSeen || this.isHalted || !this.wanted().length) return;
    const left = (this.readAt ?? -Infinity) + this.pause - performance.now();
    if (left > 0) this.timer = setTimeout(() => this.wake(), left);
    else this.read();
  }

  /** Ids to read: those not over, and one whose steps are not known yet. */
  wanted() {
    const ids = [...this.rows.keys()].filter((id) => this.pending.has(id));
    if (this.opened?.isReading && !ids.includes(this.opened.id)) ids.push(this.opened.id);
    return ids;
  }

  async read() {
    this.isReading = true;
    this.readAt = performance.now();
    const ids = this.wanted();
    const { opened } = this;
    let problem = "";
    try {
      const args = { execution_ids: ids, ...(opened && ids.includes(opened.id) ? { steps_of: opened.id } : {}) };
      const result = await this.host.callTool("show_progress", args);
      const view = result.structuredContent;
      if (result.isError || !Array.isArray(view?.executions)) problem = firstLine(result) || "The server did not say how far they are.";
      else {
        for (const row of this.rows.values()) row.mayStop = Boolean(view.can_cancel);
        if (args.steps_of) opened.isReading = false;
        this.goodAt = new Date();
        this.take(view, view.executions);
      }
    } catch (error) {
      problem = `Your client did not carry the call over: ${error.message}`;
    }
    this.isReading = false;
    this.note(problem && `Not up to date: ${problem}`);
    if (problem) this.pause = Math.min(LONGEST_MS, this.pause * 2);
    if (!this.pending.size && this.sawOneGo && !this.hasTold) this.tell();
    this.wake();
  }

  soon() {
    this.pause = SHORTEST_MS;
    this.readAt = undefined;
    this.wake();
  }

  halt() {
    this.isHalted = true;
    clearTimeout(this.timer);
  }

  // What the person does

  open(row) {
    const before = this.opened;
    if (before) before.isOpen = false;
    this.opened = before === row ? null : row;
    if (this.opened) {
      row.isOpen = true;
      row.isReading = !row.data.steps && this.canCall;
    }
    before?.draw();
    row.draw();
    if (this.opened?.isReading) this.soon();
  }

  /** → what is known of the run then; nothing is said to be done that is not. */
  async stop(row) {
    const result = await this.host.callTool("cancel_execution", { execution_id: row.id }).catch(() => null);
    const { status } = result?.structuredContent || {};
    this.soon();
    if (!result) return "It is not known whether the request to stop it arrived: your client did not carry it over, or you declined there. The status above is read again.";
    if (result.isError) return firstLine(result) || "The server refused to stop it.";
    const said = status === "Cancelled" ? "It was stopped." : `The request to stop it was sent. It is ${status || "in an unknown state"} now.`;
    this.host.tell(`The user asked to stop ${row.id} on the monitor page. Its status after that: ${status || "unknown"}.`);
    return said;
  }

  async full() {
    const mode = this.host.context.displayMode === "fullscreen" ? "inline" : "fullscreen";
    await this.host.displayMode(mode);
    this.resized();
  }

  tell() {
    this.hasTold = true;
    const shown = [...this.rows.values()].slice(0, MOST_TOLD).map(({ id, data }) => `${id} ${data.status || "unknown"}`);
    const more = this.rows.size > MOST_TOLD ? ", …" : "";
    this.host.tell(`On the monitor page none of ${plural(this.rows.size, "execution")} is running any more: ${shown.join(", ")}${more}.`);
  }

  // What is shown

  show() {
    const rows = [...this.rows.values()];
    byId("scroll").hidden = !rows.length;
    if (!rows.length) return;
    const isOver = !this.pending.size;
    document.body.dataset.state = isOver ? "over" : "going";
    byId("title").textContent = `${plural(rows.length, "run")} on Deep Origin`;
    const known = rows.map((row) => row.data);
    this.say(known.some((data) => data.status || data.error) ? this.summary(known, isOver) : "Reading how far they are …");
    this.filters(known);
    byId("table").classList.toggle("no-stop", rows.every((row) => row.stop.hidden));
    byId("read").textContent = this.goodAt ? `${isOver ? "Read" : "Live, read"} at ${this.clock(this.goodAt)}` : "";
    if (!this.canCall && !isOver) this.note("This client does not let the page read the runs again: it shows what the last call returned. Ask your assistant to go on waiting.");
    this.resized();
  }

  summary(known, isOver) {
    const lost = known.filter((data) => data.error).length;
    const read = known.filter((data) => data.status);
    const unread = lost ? `${plural(lost, "run")} could not be read.` : "";
    const isOne = known.length === 1;
    const counts = isOne ? read[0]?.status : countsText(read);
    if (!isOver) return [counts && `${counts}.`, unread].filter(Boolean).join(" ");
    const costs = known.map((data) => data.cost);
    const sum = costs.every((cost) => typeof cost === "number") ? Number(costs.reduce((all, cost) => all + cost, 0).toFixed(6)) : null;
    const cost = sum === null ? "" : `${isOne ? "Cost" : "Together"}: ${moneyText(sum)}.`;
    // A quote waits for somebody who confirms it.
    const heading = known.some((data) => data.status === "Quoted") ? "None is running" : isOne ? "Over" : "All are over";
    return [counts && `${heading}: ${counts}.`, unread, cost].filter(Boolean).join(" ");
  }

  filters(known) {
    const counts = countsOf(known);
    const isUseful = known.length >= FILTERED_FROM && counts.size > 1;
    if (!isUseful || !counts.has(this.filter)) this.filter = "";
    const place = byId("filters");
    place.hidden = !isUseful;
    const listed = new Map([["", known.length], ...counts]);
    for (const [status, count] of listed) {
      if (!this.buttons.has(status)) this.buttons.set(status, this.filterButton(status));
      const button = this.buttons.get(status);
      button.textContent = `${status || "All"} ${count}`;
      button.setAttribute("aria-pressed", status === this.filter);
    }
    const shown = [...listed.keys()].map((status) => this.buttons.get(status));
    // What has the focus, or is being pressed, stays where it is.
    if (shown.length !== place.children.length || shown.some((button, at) => button !== place.children[at])) place.replaceChildren(...shown);
    for (const row of this.rows.values()) row.body.hidden = this.filter !== "" && (row.data.status || "Unknown") !== this.filter;
  }

  filterButton(status) {
    const made = element("button", { type: "button" });
    made.addEventListener("click", () => {
      this.filter = status;
      this.show();
    });
    return made;
  }

  say(text) {
    const place = byId("summary");
    // A screen reader reads only what has changed.
    if (place.textContent !== text) place.textContent = text;
  }

  note(text) {
    byId("note").hidden = !text;
    if (byId("note").textContent !== text) byId("note").textContent = text;
    this.resized();
  }

  clock(date) {
    const { locale, timeZone } = this.host.context;
    try {
      return date.toLocaleTimeString(locale, { timeZone });
    } catch {
      return date.toLocaleTimeString();
    }
  }

  /** As high as its content, if the host has room for that; the table scrolls. */
  resized() {
    const isFull = this.host.context.displayMode === "fullscreen";
    byId("full").textContent = isFull ? "Leave full screen" : "Full screen";
    const most = this.host.context.containerDimensions?.maxHeight ?? MOST_HEIGHT;
    const own = [...document.body.children].reduce((sum, part) => sum + roomOf(part), 0);
    const height = Math.min(own, most);
    if (isFull || Math.abs(height - (this.height ?? 0)) < 2) return;
    this.height = height;
    this.host.resized(height);
  }
}

function roomOf(part) {
  if (part.tagName === "SCRIPT" || part.hidden) return 0;
  const margin = Number.parseFloat(getComputedStyle(part).marginBottom) || 0;
  return margin + (part.id === "scroll" ? part.scrollHeight + 1 : part.offsetHeight);
}

const monitor = new Monitor();
monitor.start().catch(() => monitor.say("This client does not show this page's runs."));
