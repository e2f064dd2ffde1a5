// The rows in view as CSV, their poses as SDF.
import { element } from "../elements.js";

const FORMULA = /^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/;
/** Poses that are fetched from a host for one file. */
export const MOST_POSES = 1_000;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

export function csvOf(data, rows) {
  const columns = data.columns;
  const heads = ["name", "ligand_id", "smiles", ...columns.map((column) => column.name), "note"];
  const lines = rows.map((row) => [row.name, row.ligand, row.smiles, ...columns.map((column) => row.values[column.index]), row.reason || row.note]);
  return [heads, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** A text that a spreadsheet would take for a formula begins with an apostrophe. */
function cell(value) {
  if (value == null) return "";
  let text = (typeof value === "object" ? JSON.stringify(value) : String(value)).replace(/[\r\n]+/g, " ");
  if (FORMULA.test(text) && !NUMBER.test(text)) text = `'${text}`;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function sdfOf(data, rows) {
  const oneLine = (value) => String(value).replace(/[\r\n]+/g, " ").replace(/^(\$\$\$\$|>)/, " $1");
  return rows
    .flatMap((row) => [row.shape, row.second].map((shape, run) => ({ row, shape: data.shapes[shape], run: data.one && run + 1 })))
    .filter(({ shape }) => shape?.format === "sdf")
    .map(({ row, shape, run }) => {
      const lines = shape.text.split("\n");
      lines[0] = oneLine(row.name);
      const fields = [["ligand_id", row.ligand], ["smiles", row.smiles], ["run", run], ...data.columns.map((column) => [column.name, row.values[column.index]])];
      const shown = fields.filter(([, value]) => value != null && value !== "" && typeof value !== "object");
      return `${lines.join("\n").trimEnd()}\n${shown.map(([name, value]) => `>  <${name.replace(/[<>\s]+/g, "_")}>\n${oneLine(value)}\n\n`).join("")}$$$$\n`;
    })
    .join("");
}

export function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
