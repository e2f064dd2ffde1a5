// Two runs side by side: their pages' data as that of one page, a row a molecule.
import { byId, element, plural } from "../elements.js";
import { isNumber } from "./words.js";
import { fetchTexts, prepared } from "./data.js";

const RUNS = [1, 2];
const MARK = '<script type="application/json" id="data">';
const SHOWN = ["header", "#notes", "main"].map((part) => document.querySelector(part));
const BLANK = SHOWN.map((part) => part.cloneNode(true));
/** What a molecule is known by, from the surest on. */
const KEYS = [(row) => row.ligand, (row) => row.key || row.smiles, (row) => row.smiles, (row) => !row.ligand && !row.smiles && row.name];

/** Data for the page, in which `second` is the pose of the other run and `axes` what the chart shows first. */
export function compared(one, two) {
  const [left, right] = [one, two].map(moleculesOf);
  const partners = partnersOf(left, right);
  const taken = new Set(partners.values());
  const pairs = [...left.map((row) => [row, partners.get(row)]), ...right.filter((row) => !taken.has(row)).map((row) => [undefined, row])];
  const isIn = (row) => row && !row.reason;
  const rows = pairs.map(([first, second]) => {
    const known = first || second;
    const [a, b] = [first, second].map((row) => (isIn(row) ? row : null));
    const reasons = [first, second].map((row, at) => row?.reason && `run ${RUNS[at]}: ${row.reason}`).filter(Boolean).join("; ");
    const only = a && b ? "" : `only in run ${a ? 1 : 2}${reasons && ` (${reasons})`}`;
    const row = { name: known.name, ligand: known.ligand, smiles: known.smiles, shape: a?.shape ?? null, second: b?.shape == null ? null : b.shape + one.shapes.length, note: only, only, sides: [a, b] };
    return a || b ? row : { ...row, note: "", only: "", reason: reasons };
  });
  const rank = ({ reason, sides: [a, b] }) => (reason ? 3 : a && b ? 0 : a ? 1 : 2);
  rows.sort((a, b) => rank(a) - rank(b));
  const { columns, axes } = columnsOf(one, two, rows);
  for (const row of rows) row.values = columns.map((column) => column.of(row.sides));
  const proteins = [one.protein, two.protein === true ? one.protein : two.protein];
  const isSame = proteins[0]?.text === proteins[1]?.text;
  const data = prepared({
    one,
    run: { ...one.run, name: `${one.run.name} and ${two.run.name}`, file: `${one.run.file}_and_${two.run.file}`, facts: factsOf(one, two, rows.map(rank)) },
    notes: [one, two].flatMap(({ notes }, at) => notes.map((text) => `Run ${RUNS[at]}: ${text}`)),
    columns,
    axes,
    rows,
    shapes: [...one.shapes, ...two.shapes],
    proteins: isSame ? [proteins[0], proteins[0]] : proteins,
    protein: proteins[0],
  });
  for (const column of columns) if (column.base) column.decimals = Math.max(...columns.filter((other) => other.base === column.base).map((other) => other.decimals));
  return data;
}

/** One row a molecule: its best pose, or its first row. */
function moleculesOf({ rows }) {
  const best = new Map();
  for (const row of rows) {
    const key = row.ligand || row.key || row.smiles || row.name;
    if (!best.has(key) || (row.best && !best.get(key).best)) best.set(key, row);
  }
  return [...best.values()];
}

function partnersOf(left, right) {
  const partners = new Map();
  const taken = new Set();
  for (const keyOf of KEYS) {
    const known = new Map();
    for (const row of right) if (!taken.has(row) && keyOf(row) && !known.has(keyOf(row))) known.set(keyOf(row), row);
    for (const row of left) {
      const other = partners.has(row) ? undefined : known.get(keyOf(row));
      if (!other || taken.has(other)) continue;
      partners.set(row, other);
      taken.add(other);
    }
  }
  return partners;
}

/** Of each column both runs' values and their difference; one column where all molecules in both have the same. */
function columnsOf(one, two, rows) {
  const columns = [];
  let axes;
  for (const name of new Set([...one.columns, ...two.columns].map((column) => column.name))) {
    const sides = [one, two].map((data) => data.columns.findIndex((column) => column.name === name));
    const [a, b] = [one.columns[sides[0]], two.columns[sides[1]]];
    const { label, unit, better } = a || b;
    const of = (pair, at) => (sides[at] < 0 ? null : (pair[at]?.values[sides[at]] ?? null));
    const add = (run, ending, of, more) => columns.push({ name: `${name}${ending}`, label: `${run}${label}`, unit, better, hidden: false, of, ...more }) - 1;
    const both = rows.map(({ sides: pair }) => [of(pair, 0), of(pair, 1)]);
    const shared = both.filter(([x, y]) => x !== null && y !== null);
    const all = new Set(both.flat().filter((value) => value !== null));
    const isHidden = (a?.hidden ?? true) && (b?.hidden ?? true) ? true : rows.length > 1 && all.size < 2;
    if (a && b && (a.unit !== b.unit || shared.some(([x, y]) => x !== y))) {
      const at = RUNS.map((run, side) => add(`Run ${run}: `, `_${run}`, (pair) => of(pair, side), { base: name, unit: [a, b][side].unit, hidden: isHidden }));
      const isMeasure = a.unit === b.unit && [...all].every(isNumber);
      if (isMeasure) add("2 − 1: ", "_difference", (pair) => (of(pair, 0) === null || of(pair, 1) === null ? null : Number((of(pair, 1) - of(pair, 0)).toPrecision(12))), { base: name, better: "", isSigned: true, hidden: isHidden });
      if (isMeasure && !isHidden && (!axes || (better && !columns[axes[0]].better))) axes = at;
    } else if (a && b) add("", "", (pair) => of(pair, 0) ?? of(pair, 1), { hidden: isHidden });
    else add(`Run ${a ? 1 : 2}: `, `_${a ? 1 : 2}`, (pair) => of(pair, a ? 0 : 1), { hidden: isHidden });
  }
  return { columns, axes };
}

/** What is the same in both runs once, and what differs twice. */
function factsOf(one, two, ranks) {
  const count = (rank) => plural(ranks.filter((each) => each === rank).length, "molecule");
  const facts = [["Run 1", one.run.name], ["Run 2", two.run.name], ["In both", count(0)], ["Only in run 1", count(1)], ["Only in run 2", count(2)]];
  const [first, second] = [one, two].map(({ run }) => new Map(run.facts));
  for (const label of new Set([...first.keys(), ...second.keys()])) {
    const [a, b] = [first.get(label), second.get(label)];
    if (a === b) facts.push([label, a]);
    else facts.push(...[a, b].map((value, at) => [`${label} ${RUNS[at]}`, value ?? "–"]));
  }
  return facts;
}

/** Heavy atoms' root mean square distance of two poses that list the same atoms in the same order; else null. */
export function apart(...models) {
  const [a, b] = models.map((model) => model.selectedAtoms({}).filter((atom) => atom.elem !== "H"));
  if (!a.length || a.length !== b.length || a.some((atom, at) => atom.elem !== b[at].elem || atom.bonds.length !== b[at].bonds.length)) return null;
  return Math.sqrt(a.reduce((sum, { x, y, z }, at) => sum + (x - b[at].x) ** 2 + (y - b[at].y) ** 2 + (z - b[at].z) ** 2, 0) / a.length);
}

/** Let the reader choose the page of another run; `show` gets the data of both. */
export function offerComparison(data, show) {
  const chosen = byId("other");
  byId("compare").hidden = !data.rows.length;
  byId("compare").addEventListener("click", () => chosen.click());
  chosen.addEventListener("change", async () => {
    const [file] = chosen.files;
    chosen.value = "";
    try {
      const one = data.one || data;
      const two = reportIn(await file.text());
      // Whether both are in the same structure can be told once it is here.
      if (one.protein) await fetchTexts([one.protein]);
      show(compared(one, two));
      byId("compare").focus();
    } catch {
      byId("notes").append(element("p", { text: `${file.name} cannot be compared: choose the results page of another run, as view or download_files write it.` }));
    }
  });
}

function reportIn(html) {
  const data = JSON.parse(html.split(MARK)[1].split("</script>")[0]);
  prepared(data);
  return data;
}

/** The page as it was before it showed anything. */
export function renew() {
  SHOWN.forEach((part, at) => part.replaceWith((SHOWN[at] = BLANK[at].cloneNode(true))));
}
