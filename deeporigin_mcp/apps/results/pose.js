// A pose in its pocket: the protein as cartoon, the residues around the ligand and the ligand as sticks.
import { byId, colour, element } from "../elements.js";
import { shownValue, titleOf } from "./words.js";
import { fetchTexts, isHere } from "./data.js";
import { apart } from "./compare.js";

const AROUND = 5;
const CONTACT = 3.4;
const WATERS = new Set(["HOH", "WAT", "DOD", "TIP3", "SOL"]);
const POLAR = new Set(["N", "O"]);
const PAUSE_MS = 80;
/** Å. */
const AWAY = 6;
const [POSE, POCKET, STRUCTURE] = ["Pose", "Pocket", "Structure"];
/** The atoms that line a pocket are of fewer residues. */
const MOST_OF_POCKET = 60;
const NO_WEBGL = "This browser has no WebGL, so there is no 3D view. The table and the 2D structures are complete.";

export class PoseView {
  /** `soon` tells the rows that may be looked at next. */
  constructor(data, soon) {
    this.data = data;
    this.soon = soon;
    this.row = null;
    this.viewer = null;
    this.protein = null;
    this.poses = [];
    this.isPlaced = false;
    if (data.one) this.choice();
    byId("reset").addEventListener("click", () => this.place());
    byId("labels").addEventListener("change", () => this.decorate());
    byId("viewer").addEventListener("keydown", (event) => this.turn(event));
  }

  /** In a comparison: whose pose is shown. Poses in different structures have no common place. */
  choice() {
    const [one, two] = this.data.proteins;
    const which = byId("which");
    byId("which-label").hidden = false;
    if (one !== two) which.options[0].remove();
    which.addEventListener("change", () => {
      this.isPlaced = false;
      this.show(this.row);
    });
  }

  /** The poses to draw, and the runs that they are of: one, or two in a comparison. */
  posesOf(row) {
    const { value } = byId("which");
    return [row?.shape, row?.second].flatMap((shape, run) => (shape == null || (value !== "both" && Number(value) !== run) ? [] : [{ run, shape: this.data.shapes[shape] }]));
  }

  /** Show the row's pose; where that cannot be, say why. */
  show(row) {
    this.row = row;
    const poses = this.posesOf(row);
    this.held = this.data.proteins?.[Number(byId("which").value) || 0] ?? this.data.protein;
    this.describe();
    const shape = poses[0]?.shape;
    const problem = shape || this.held ? this.open() : "";
    if (problem) return this.say(problem);
    const parts = shape ? [...poses.map((pose) => pose.shape), this.held].filter(Boolean) : [];
    if (!parts.every(isHere)) return this.fetch(row, parts);
    if (!shape) {
      const why = row ? row.reason || row.note || "its coordinates are not in this page." : "choose a row.";
      this.say(row ? `No 3D structure of ${row.name}: ${why}` : "Choose a row to see its pose.");
      if (this.viewer) this.clear();
      byId("pose-text").textContent = "";
      return undefined;
    }
    this.say("");
    this.clear();
    try {
      for (const { run, shape: each } of poses) this.poses.push({ run, model: this.viewer.addModel(each.text, each.format, { keepH: true }) });
      this.ligand = this.poses[0].model;
    } catch {
      this.ligand = null;
    }
    if (!this.ligand || !this.ligand.selectedAtoms({}).length) {
      this.clear();
      return this.say(shape.problem ? `No 3D structure of ${row.name}: ${shape.problem}` : `The coordinates of ${row.name} cannot be read.`);
    }
    this.kind = kindOf(shape, this.ligand);
    if (this.kind === STRUCTURE) byId("pose-title").textContent = row.name;
    this.style();
    // Drawing is slow without a graphics processor: once is enough, and `decorate` does it.
    if (!this.isPlaced || this.isElsewhere()) this.face();
    this.decorate();
    return undefined;
  }

  /** Show the row when its coordinates have come, unless another one is shown then. */
  async fetch(row, parts) {
    this.clear();
    this.say(`Loading the coordinates of ${row.name} …`);
    // Whoever runs down the table with a key held looks at the last row only.
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (this.row !== row) return;
    let problem = "";
    try {
      await fetchTexts(parts, this.soon(row).flatMap((one) => this.posesOf(one).map(({ shape }) => shape)));
    } catch (error) {
      problem = `The coordinates of ${row.name} could not be loaded: ${error.message}`;
    }
    if (this.row !== row) return;
    if (problem) this.say(problem);
    else this.show(row);
  }

  say(problem) {
    byId("no-pose").textContent = problem;
    byId("no-pose").hidden = !problem;
    byId("viewer").classList.toggle("off", Boolean(problem));
    byId("view-tools").classList.toggle("off", Boolean(problem));
  }

  /** Open the viewer when it is first needed; in words why it cannot be. */
  open() {
    if (this.viewer) return "";
    const probe = document.createElement("canvas");
    if (!probe.getContext("webgl2") && !probe.getContext("webgl")) return NO_WEBGL;
    try {
      this.viewer = $3Dmol.createViewer(byId("viewer"), { backgroundColor: colour("stage"), antialias: true });
    } catch {
      this.viewer = null;
    }
    if (!this.viewer) return NO_WEBGL;
    this.size = `${byId("viewer").clientWidth} ${byId("viewer").clientHeight}`;
    return "";
  }

  /** Put the structure that the poses are in into the view. */
  hold() {
    if (this.shown === this.held || (this.held && !isHere(this.held))) return;
    if (this.protein) this.viewer.removeModel(this.protein);
    this.shown = this.held;
    try {
      this.protein = this.held?.text ? this.viewer.addModel(this.held.text, this.held.format, { keepH: false }) : null;
      // Not every format's reader leaves them out.
      this.protein?.removeAtoms(this.protein.selectedAtoms({ elem: ["H", "D"] }));
    } catch {
      this.protein = null;
    }
  }

  clear() {
    for (const { model } of this.poses) this.viewer.removeModel(model);
    this.poses = [];
    this.ligand = null;
    this.hold();
    this.viewer.removeAllLabels();
    this.viewer.removeAllShapes();
  }

  style() {
    const { viewer, protein } = this;
    const carbons = (name) => ({ colorscheme: { prop: "elem", map: { ...$3Dmol.elementColors.Jmol, C: colour(name), H: colour("hydrogen") } } });
    this.near = protein && this.kind !== STRUCTURE ? this.around() : null;
    if (protein) {
      protein.setStyle({}, this.kind === STRUCTURE ? {} : { cartoon: { color: colour("cartoon"), opacity: 0.72, thickness: 0.3 } });
      const others = this.kind === STRUCTURE ? [] : protein.selectedAtoms({ hetflag: true }).filter((atom) => !WATERS.has(atom.resn));
      if (others.length) protein.setStyle({ index: others.map((atom) => atom.index) }, { stick: { radius: 0.1, ...carbons("residue") } });
      protein.setStyle({ resn: [...WATERS] }, {});
      if (this.near?.waters.length) protein.setStyle({ index: this.near.waters }, { sphere: { radius: 0.32, color: colour("water") } });
      if (this.near?.atoms.length) protein.setStyle({ index: this.near.atoms }, { stick: { radius: 0.11, ...carbons("residue") } }, true);
    }
    for (const { run, model } of this.poses) {
      const name = run ? "second" : "ligand";
      if (this.kind === POCKET) model.setStyle({}, { sphere: { radius: 0.7, color: colour(name), opacity: 0.55 } });
      else if (this.kind === STRUCTURE) model.setStyle({}, { cartoon: { color: colour(name), thickness: 0.3 } });
      else {
        const atoms = model.selectedAtoms({});
        const onCarbon = atoms.filter((atom) => atom.elem === "H" && atom.bonds.some((other) => atoms[other]?.elem === "C"));
        model.setStyle({}, { stick: { radius: this.poses.length > 1 ? 0.14 : 0.2, ...carbons(name) } });
        if (onCarbon.length) model.setStyle({ index: onCarbon.map((atom) => atom.index) }, {});
      }
    }
    viewer.setBackgroundColor(colour("stage"));
  }

  /** Residues of the protein with an atom near the ligand, and the close polar pairs. */
  around() {
    const heavy = this.ligand.selectedAtoms({}).filter((atom) => atom.elem !== "H");
    const residues = new Map();
    const contacts = [];
    const waters = [];
    const nameOf = (atom) => `${atom.chain}/${atom.resi}${atom.icode || ""}`;
    const all = this.protein.selectedAtoms({});
    for (const atom of all) {
      let closest = Infinity;
      for (const other of heavy) {
        const far = Math.hypot(atom.x - other.x, atom.y - other.y, atom.z - other.z);
        closest = Math.min(closest, far);
        if (far <= CONTACT && this.kind === POSE && POLAR.has(atom.elem) && POLAR.has(other.elem)) contacts.push([atom, other, far]);
      }
      if (closest > AROUND) continue;
      if (WATERS.has(atom.resn)) {
        if (closest <= CONTACT) waters.push(atom.index);
      } else residues.set(nameOf(atom), { name: `${atom.resn} ${atom.resi}`, chain: atom.chain });
    }
    const atoms = [];
    for (const atom of all) {
      const residue = residues.get(nameOf(atom));
      if (!residue) continue;
      atoms.push(atom.index);
      if (!residue.at || atom.atom === "CB" || (atom.atom === "CA" && residue.at.atom !== "CB")) residue.at = atom;
    }
    const touched = new Set(contacts.map(([atom]) => nameOf(atom)));
    return { atoms, waters, contacts, residues, touched };
  }

  /** Dashed lines for close polar pairs; names of their residues, or of all that are near. */
  decorate() {
    const { viewer, near } = this;
    if (!viewer || !this.ligand) return;
    viewer.removeAllLabels();
    viewer.removeAllShapes();
    if (near) {
      for (const [one, other] of near.contacts) {
        const [start, end] = [one, other].map(({ x, y, z }) => ({ x, y, z }));
        viewer.addCylinder({ start, end, radius: 0.055, dashed: true, dashLength: 0.22, gapLength: 0.16, color: colour("contact"), fromCap: 1, toCap: 1 });
      }
      for (const [key, residue] of near.residues) {
        if (!residue.at || !(byId("labels").checked || near.touched.has(key))) continue;
        const { x, y, z } = residue.at;
        viewer.addLabel(residue.name, {
          position: { x, y, z }, fontSize: 12, fontColor: colour("label-ink"), backgroundColor: colour("label"),
          backgroundOpacity: 0.82, borderThickness: 0, padding: 2, inFront: true, alignment: "center",
        });
      }
    }
    viewer.render();
    const names = near ? [...near.residues.values()].map(({ name, chain }) => (chain && chain !== "A" ? `${name} (${chain})` : name)) : [];
    const called = (atom) => (WATERS.has(atom.resn) ? `water ${atom.resi}` : `${atom.resn} ${atom.resi}`);
    const polar = near ? [...new Set(near.contacts.map(([atom]) => called(atom)))] : [];
    const lines = [];
    if (this.poses.length > 1) {
      const far = apart(...this.poses.map(({ model }) => model));
      lines.push(`Green: run 1. Magenta: run 2.${far === null ? "" : ` RMSD of the heavy atoms ${far.toFixed(2)} Å, without regard to symmetry.`} What follows is of run 1.`);
    }
    if (this.held && !this.protein) lines.push(this.held.problem ? `The structure of the protein is missing: ${this.held.problem}.` : "The structure of the protein cannot be read.");
    else if (!this.held) lines.push("The structure of the protein is not in this page.");
    if (polar.length) lines.push(`N/O pairs within ${CONTACT} Å (dashed): ${polar.join(", ")}.`);
    if (names.length) lines.push(`Residues within ${AROUND} Å: ${names.join(", ")}.`);
    else if (near) lines.push(`No residue of the protein is within ${AROUND} Å.`);
    byId("pose-text").textContent = lines.join(" ");
    byId("viewer").setAttribute("aria-label", `${this.kind} of ${this.row.name}${this.protein ? ` in ${this.held.name}` : ""}. Arrow keys turn it, + and − zoom.`);
  }

  place() {
    if (!this.viewer || !this.ligand) return;
    this.face();
    this.viewer.render();
  }

  /** Whether it would be out of view: another pocket, another site. */
  isElsewhere() {
    const centre = middle(this.ligand.selectedAtoms({}));
    return Math.hypot(...centre.map((value, axis) => value - this.centre[axis])) > AWAY;
  }

  /** Look from outside into the pocket, with the ligand filling the view. */
  face() {
    const { viewer, ligand } = this;
    this.isPlaced = true;
    const centre = (this.centre = middle(ligand.selectedAtoms({})));
    const close = this.protein ? this.protein.selectedAtoms({}).filter((atom) => Math.hypot(atom.x - centre[0], atom.y - centre[1], atom.z - centre[2]) < 12) : [];
    viewer.zoomTo({ model: this.poses.map(({ model }) => model.getID()) });
    viewer.zoom(0.72);
    if (close.length) {
      const inside = middle(close);
      const view = viewer.getView();
      viewer.setView([...view.slice(0, 4), ...turnToFront(centre.map((value, axis) => value - inside[axis]))]);
    }
  }

  turn(event) {
    const moves = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] };
    const zooms = { "+": 1.15, "=": 1.15, "-": 0.87 };
    if (!this.viewer || !(moves[event.key] || zooms[event.key])) return;
    event.preventDefault();
    if (moves[event.key]) this.viewer.rotate(...moves[event.key]);
    else this.viewer.zoom(zooms[event.key]);
    this.viewer.render();
  }

  describe() {
    const { row, held } = this;
    byId("pose-title").textContent = row ? row.name + (held && this.posesOf(row).length ? ` in ${held.name}` : "") : "";
    byId("pose-text").textContent = "";
    const values = row && !row.reason ? this.data.columns.filter((column) => !column.hidden && row.values[column.index] != null) : [];
    byId("pose-values").replaceChildren(
      ...values.slice(0, this.data.one ? 6 : 8).map((column) => element("div", {}, element("dt", { text: titleOf(column) }), element("dd", { text: shownValue(row.values[column.index], column) }))),
    );
  }

  resized() {
    const { clientWidth, clientHeight } = byId("viewer");
    if (!this.viewer || !clientWidth || this.size === `${clientWidth} ${clientHeight}`) return;
    this.size = `${clientWidth} ${clientHeight}`;
    this.viewer.resize();
  }

  recoloured() {
    if (!this.viewer) return;
    this.viewer.setBackgroundColor(colour("stage"));
    if (this.ligand) {
      this.style();
      this.decorate();
    }
  }
}

function kindOf({ format }, model) {
  if (format === "sdf") return POSE;
  if (model.selectedAtoms({ atom: "CA" }).length > MOST_OF_POCKET) return STRUCTURE;
  return format === "pdb" ? POCKET : POSE;
}

function middle(atoms) {
  return ["x", "y", "z"].map((axis) => atoms.reduce((sum, atom) => sum + atom[axis], 0) / atoms.length);
}

/** The quaternion that turns a direction towards the viewer. */
function turnToFront(direction) {
  const length = Math.hypot(...direction);
  if (length < 1e-6) return [0, 0, 0, 1];
  const [x, y, z] = direction.map((value) => value / length);
  if (z < -0.9999) return [1, 0, 0, 0];
  const w = Math.sqrt((1 + z) / 2);
  return [y / (2 * w), -x / (2 * w), 0, w];
}
