// One run in the table: its facts, its steps where it is open, and the question before it is stopped.
import { element } from "../elements.js";
import { costOf, signOf, timeText, toneOf } from "./words.js";

const MAY_BE_CHARGED = "It cannot be undone, and what has run so far may be charged.";

export class Row {
  /** `page` has `open(row)` and `stop(row)`, which returns what is known then. */
  constructor(id, page) {
    this.id = id;
    this.page = page;
    this.data = { execution_id: id };
    this.isPending = true;
    this.isOpen = false;
    this.mayStop = false;
    this.asks = false;
    this.said = "";
    // With roles, because a narrow page lays the cells of a row below each other.
    this.body = element("tbody", { role: "rowgroup" });
    this.label = element("span", { text: id });
    this.name = element("button", { type: "button", class: "name", "aria-expanded": "false" }, this.label);
    this.tool = element("div", { class: "tool quiet" });
    this.state = cell("state");
    this.elapsed = cell("elapsed");
    this.cost = cell("cost");
    this.stop = element("button", { type: "button", text: "Stop…", "aria-haspopup": "true", hidden: "" });
    this.line = element("tr", { role: "row" }, element("th", { role: "rowheader", scope: "row" }, this.name, this.tool), this.state, this.elapsed, this.cost, cell("stop", this.stop));
    this.asking = element("div");
    this.answer = element("p", { class: "said", role: "status", hidden: "" });
    this.details = element("div");
    this.more = element("tr", { role: "row", class: "more", hidden: "" }, element("td", { role: "cell", colspan: "5", "aria-colspan": "5" }, this.asking, this.answer, this.details));
    this.body.append(this.line, this.more);
    this.name.addEventListener("click", () => this.page.open(this));
    this.stop.addEventListener("click", () => this.ask(true));
    this.body.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.asks && !this.isStopping) this.ask(false);
    });
  }

  get title() {
    return this.data.name || this.id;
  }

  /** What was read now; what a wait does not say stays, if nothing else has changed. */
  update(data, isPending) {
    const { elapsed_seconds, steps, more_steps, status } = this.data;
    const kept = data.status === status ? { elapsed_seconds, steps, more_steps } : { steps, more_steps };
    this.data = { ...kept, ...data };
    this.isPending = isPending;
    if (!isPending && !this.isStopping) this.asks = false;
    this.draw();
  }

  /** It cannot be read now: what was read last stays, and says of when it is. */
  lose(error, readAt) {
    this.data.error = `Not read since ${readAt || "the last call"}: ${error}`;
    this.draw();
  }

  draw() {
    const { data, isPending } = this;
    this.label.textContent = this.title;
    this.name.title = this.title;
    this.name.setAttribute("aria-expanded", this.isOpen);
    this.tool.textContent = [data.tool_key, data.tool_version].filter(Boolean).join(" ");
    const elapsed = timeText(data.elapsed_seconds ?? data.runtime_seconds);
    const [amount, about] = costOf(data, isPending);
    this.state.replaceChildren(...this.stateParts(elapsed));
    this.elapsed.replaceChildren(elapsed || nothing());
    this.cost.replaceChildren(amount || nothing(), ...(about ? [element("div", { class: "quiet", text: about })] : []));
    this.stop.hidden = !(this.mayStop && isPending && data.status && data.status !== "Unknown");
    this.stop.setAttribute("aria-label", `Stop ${this.title}`);
    this.drawMore();
  }

  stateParts(elapsed) {
    const { status, progress_percent: percent, status_reason: reason, error } = this.data;
    const parts = [];
    if (status) parts.push(statusOf(status, this.isPending ? percent : null));
    else if (!error) parts.push(element("div", { class: "quiet", text: "Not read yet" }));
    if (this.isPending && isPercent(percent)) {
      const bar = element("i");
      bar.style.width = `${percent}%`;
      parts.push(element("div", { class: "bar", "aria-hidden": "true" }, bar));
    }
    if (elapsed) parts.push(element("div", { class: "only-narrow quiet", text: elapsed }));
    if (reason) parts.push(element("p", { class: "reason", text: reason }));
    if (error) parts.push(element("p", { class: "reason lost", text: error }));
    return parts;
  }

  drawMore() {
    const question = this.asks ? this.question || (this.question = this.asked()) : null;
    // What has the focus, or is being pressed, stays where it is.
    if (this.asking.firstElementChild !== question) this.asking.replaceChildren(...(question ? [question] : []));
    this.answer.hidden = !this.said;
    // A screen reader reads only what has changed.
    if (this.answer.textContent !== this.said) this.answer.textContent = this.said;
    this.details.replaceChildren(...(this.isOpen ? [this.detailed()] : []));
    const hasMore = Boolean(question || this.said || this.isOpen);
    this.more.hidden = !hasMore;
    this.line.classList.toggle("has-more", hasMore);
  }

  detailed() {
    const { steps, more_steps: hasMore } = this.data;
    const made = element("div", { class: "more-in" });
    if (steps?.length) made.append(listOf(steps));
    else made.append(element("p", { class: "quiet", text: this.isReading ? "Reading its steps …" : "No steps are reported." }));
    if (hasMore) made.append(element("p", { class: "quiet", text: "It has further steps." }));
    made.append(element("p", { class: "id", text: this.id }));
    return made;
  }

  /** The first of two steps; the second is the button here, and the host may ask once more. */
  ask(isAsked) {
    this.asks = isAsked;
    this.said = "";
    this.question = null;
    this.drawMore();
    if (isAsked) this.more.querySelector(".keep").focus();
    else this.stop.focus();
  }

  asked() {
    const question = element("p", { id: `ask-${this.id}`, text: `Stop ${this.title}? ${MAY_BE_CHARGED}` });
    const really = element("button", { type: "button", class: "really", text: "Stop this run" });
    const keep = element("button", { type: "button", class: "keep", text: "Keep it running" });
    keep.addEventListener("click", () => this.ask(false));
    really.addEventListener("click", async () => {
      if (this.isStopping) return;
      this.isStopping = true;
      really.disabled = keep.disabled = true;
      question.textContent = "Your client is asked to stop it …";
      const said = await this.page.stop(this);
      this.isStopping = this.asks = false;
      this.question = null;
      this.said = said;
      this.draw();
      this.name.focus();
    });
    return element("div", { class: "ask", role: "group", "aria-labelledby": question.id }, question, really, keep);
  }
}

function cell(name, ...children) {
  return element("td", { role: "cell", class: name }, ...children);
}

function nothing() {
  return element("span", { class: "quiet", text: "–" });
}

function isPercent(value) {
  return typeof value === "number" && value >= 0 && value <= 100;
}

function statusOf(status, percent) {
  const made = element("div", { class: `status ${toneOf(status)}` }, element("span", { class: "sign", "aria-hidden": "true", text: signOf(status) }), element("b", { text: status }));
  if (isPercent(percent)) made.append(element("span", { class: "percent", text: `${Math.round(percent * 10) / 10} %` }));
  return made;
}

/** Steps as lists in lists, as deep as each says. */
function listOf(steps) {
  const root = element("ul", { class: "steps" });
  const lists = [root];
  for (const step of steps) {
    const depth = Math.min(lists.length - 1, Math.max(0, Math.trunc(step.depth) || 0));
    lists.length = depth + 1;
    const line = element("div", { class: "step" }, element("span", { text: step.name }));
    line.style.setProperty("--depth", depth);
    if (step.status) line.append(statusOf(step.status, step.percent));
    if (step.message) line.append(element("span", { class: "quiet", text: step.message }));
    const below = element("ul");
    const item = element("li", {}, line, below);
    lists[depth].append(item);
    lists.push(below);
  }
  for (const list of root.querySelectorAll("ul:empty")) list.remove();
  return root;
}
