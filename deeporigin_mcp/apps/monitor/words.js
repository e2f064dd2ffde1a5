// States and times of runs in words. Nothing here makes markup.
import { moneyText } from "../elements.js";

const SIGNS = { good: "✓", bad: "✕", going: "●", idle: "○" };
const TONES = { Completed: "good", Succeeded: "good", Failed: "bad", InsufficientFunds: "bad", FailedQuotation: "bad", Running: "going", Finishing: "going" };

export function toneOf(status) {
  return Object.hasOwn(TONES, status) ? TONES[status] : "idle";
}

export function signOf(status) {
  return SIGNS[toneOf(status)];
}

/** `1 h 04 min`; empty for what is not known. */
export function timeText(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds < 0) return "";
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600) % 24, Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  if (days) return `${days} d ${two(hours)} h`;
  if (hours) return `${hours} h ${two(minutes)} min`;
  return minutes ? `${minutes} min ${two(whole % 60)} s` : `${whole} s`;
}

/** What a run costs, and what that amount is: [amount, about]. */
export function costOf(row, isPending) {
  if (row.cost != null) return [moneyText(row.cost), row.cost_state || (isPending ? "reserved" : "")];
  if (row.quoted_price != null) return [moneyText(row.quoted_price), "quoted"];
  return ["", ""];
}

/** `2 Completed, 1 Failed`, in the order in which they are first met. */
export function countsOf(rows) {
  const counts = new Map();
  for (const row of rows) counts.set(row.status || "Unknown", (counts.get(row.status || "Unknown") || 0) + 1);
  return counts;
}

export function countsText(rows) {
  return [...countsOf(rows)].map(([status, count]) => `${count} ${status}`).join(", ");
}
