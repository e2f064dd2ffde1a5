// The approval card: what a run costs, and the two buttons that answer whether to start it.
import { byId, element, moneyText } from "../elements.js";
import { firstLine, Host } from "../host.js";

const QUESTION = "deeporigin/approval";
const ERROR = "deeporigin-mcp/error";
/** A card that appears under the pointer must not take a click that was meant for something else. */
const ARMED_AFTER_MS = 600;
const AGAIN = "Nothing was started. Ask your assistant to confirm it again.";
const NOT_STARTED = {
  Quoted: "it is a quote",
  InsufficientFunds: "the organisation has too little money for it",
  FailedQuotation: "it could not be priced",
};
const REFUSED = {
  late_nonce: `This card is too old. ${AGAIN}`,
  used_nonce: "This card was answered before. Your assistant can tell what became of the run.",
  wrong_nonce: `This card does not belong to this run. ${AGAIN}`,
  price_changed: `The quote has changed since this card was shown. ${AGAIN}`,
  not_quoted: "This run is not waiting for an approval any more. Your assistant can tell what became of it.",
  already_started: "This run was started before.",
};
const NOT_KNOWN = "Your client did not carry the answer over, so it is not known whether the run was started. Your assistant can look it up.";

const host = new Host("deeporigin-approval");
let question = null;
let view = {};

/** What came of confirm_execution. */
function shown(result) {
  view = result.structuredContent || {};
  if (result.isError) return ended(firstLine(result) || "It was not started.");
  if (view.approval !== "pending") return ended(state());
  const asked = (result._meta || {})[QUESTION];
  question = asked && typeof asked.nonce === "string" ? asked : null;
  draw(question || ofView());
  if (!question) return ended("Nothing is started. This client keeps the card from answering: your assistant can say how to approve it.");
  byId("start").textContent = `Start for ${question.price}`;
  byId("buttons").hidden = false;
  byId("outcome").textContent = "";
  enable(false);
  setTimeout(() => enable(true), ARMED_AFTER_MS);
  host.resized();
}

/** The facts without what only `_meta` has. */
function ofView() {
  const tool = [view.tool_key, view.tool_version].filter(Boolean).join(" ");
  const facts = [["Tool", tool], ["Name", view.name], ["Execution", view.execution_id]].filter(([, value]) => value);
  const price = moneyText(view.quoted_price) || "an unknown price";
  return { title: `A Deep Origin run for ${price}`, facts, items: [], consequence: "" };
}

function draw({ title, facts, items, consequence }) {
  byId("title").textContent = title;
  byId("facts").replaceChildren(...facts.flatMap(([label, value]) => [element("dt", { text: label }), element("dd", { text: value })]));
  byId("facts").hidden = !facts.length;
  const rows = items.map((cells) => element("tr", {}, ...cells.map((text) => element("td", { text }))));
  byId("items").querySelector("tbody").replaceChildren(...rows);
  byId("items").hidden = !items.length;
  byId("consequence").textContent = consequence;
  byId("consequence").hidden = !consequence;
}

async function answer(approve) {
  if (!question) return;
  const { nonce, price } = question;
  question = null;
  enable(false);
  byId("outcome").textContent = approve ? "Starting …" : "";
  host.resized();
  ended(await said(approve, nonce, price));
}

async function said(approve, nonce, price) {
  const called = { execution_id: view.execution_id, nonce, approve };
  const result = await host.callTool("approve_execution", called).catch(() => null);
  if (!result) return NOT_KNOWN;
  if (result.isError) return REFUSED[(result._meta || {})[ERROR]?.code] || firstLine(result) || AGAIN;
  view = result.structuredContent || view;
  const outcome = approve ? state() : "Not started. It stays a quote, which costs nothing.";
  host.tell(approve
    ? `The user approved ${view.execution_id} for ${price} on the approval card: ${outcome}`
    : `The user declined ${view.execution_id} on the approval card. It stays a quote.`);
  return outcome;
}

function state() {
  const name = view.execution_id ? ` (${view.execution_id})` : "";
  if (NOT_STARTED[view.status]) return `Not started: ${NOT_STARTED[view.status]}${name}.`;
  if (view.status === "Cancelled") return `It is cancelled${name}.`;
  if (!view.status) return "";
  return [view.warning, `Started: ${view.status}${name}.`, lacking(), "You can close this card."].filter(Boolean).join(" ");
}

/** Which ligands of a run that is over already have no result. */
function lacking() {
  const missing = Array.isArray(view.missing) ? view.missing : [];
  if (!missing.length) return "";
  const more = (view.missing_count || missing.length) - missing.length;
  const names = missing.map(({ name, reason }) => (reason ? `${name} (${reason})` : name)).join(", ");
  return `No result for ${names}${more > 0 ? ` and ${more} more` : ""}.`;
}

function ended(text) {
  byId("buttons").hidden = true;
  byId("consequence").hidden = true;
  byId("outcome").textContent = text;
  question = null;
  host.resized();
}

function enable(on) {
  byId("start").disabled = byId("dont").disabled = !on;
}

byId("start").addEventListener("click", () => answer(true));
byId("dont").addEventListener("click", () => answer(false));
host.on = { result: shown, cancelled: () => ended("The call was cancelled. Nothing was started by it.") };
host.connect().catch(() => ended("This client does not show approval cards."));
