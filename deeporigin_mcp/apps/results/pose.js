// A pose in its pocket: the protein as cartoon, the residues around the ligand and the ligand as sticks.
import { byId, colour, element, shownValue, titleOf } from "./words.js";

const AROUND = 5;
const CONTACT = 3.4;
const WATERS = new Set(["HOH", "WAT", "DOD", "TIP3", "SOL"]);
const POLAR = new Set(["N", "O"]);
const NO_WEBGL = "This browser has no WebGL, so there is no 3D view. The table and the 2D structures are complete.";

export class PoseView {
  constructor(data) {
    this.data = data;
    this.row = null;
    this.viewer = null;
    this.protein = null;
    this.isPlaced = false;
    byId("reset").addEventListener("click", () => this.place());
    byId("labels").addEventListener("change", () => this.decorate());
    byId("viewer").addEventListener("keydown", (event) => this.turn(event));
  }

  /** Show the row's pose; where that cannot be, say why. */
  show(row) {
    this.row = row;
    this.describe();
    const shape = row && row.shape != null ? this.data.shapes[row.shape] : null;
    const problem = shape || this.data.protein ? this.open() : "";
    if (problem) return this.say(problem);
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
      this.ligand = this.viewer.addModel(shape.text, shape.format, { keepH: true });
    } catch {
      this.ligand = null;
    }
    if (!this.ligand || !this.ligand.selectedAtoms({}).length) {
      this.clear();
      return this.say(`The coordinates of ${row.name} cannot be read.`);
    }
    this.isPocket = shape.format === "pdb";
    this.style();
    // Drawing is slow without a graphics processor: once is enough, and `decorate` does it.
    if (!this.isPlaced) this.face();
    this.decorate();
    return undefined;
  }

  say(problem) {
    byId("no-pose").textContent = problem;
    byId("no-pose").hidden = !problem;
    byId("viewer").hidden = byId("view-tools").hidden = Boolean(problem);
  }

  /** Open the viewer when it is first needed; in words why it cannot be. */
  open() {
    if (this.viewer) return "";
    const probe = document.createElement("canvas");
    if (!probe.getContext("webgl2") && !probe.getContext("webgl")) return NO_WEBGL;
    byId("viewer").hidden = false;
    try {
      this.viewer = $3Dmol.createViewer(byId("viewer"), { backgroundColor: colour("stage"), antialias: true });
    } catch {
      this.viewer = null;
    }
    if (!this.viewer) return NO_WEBGL;
    this.size = `${byId("viewer").clientWidth} ${byId("viewer").clientHeight}`;
    const { protein } = this.data;
    try {
      this.protein = protein ? this.viewer.addModel(protein.text, protein.format, { keepH: false }) : null;
    } catch {
      this.protein = null;
    }
    return "";
  }

  clear() {
    if (this.ligand) this.viewer.removeModel(this.ligand);
    this.ligand = null;
    this.viewer.removeAllLabels();
    this.viewer.removeAllShapes();
  }

  style() {
    const { viewer, protein, ligand } = this;
    const carbons = (name) => ({ colorscheme: { prop: "elem", map: { ...$3Dmol.elementColors.Jmol, C: colour(name), H: colour("hydrogen") } } });
    if (protein) {
      this.near = this.around();
      protein.setStyle({}, { cartoon: { color: colour("cartoon"), opacity: 0.72, thickness: 0.3 } });
      const others = protein.selectedAtoms({ hetflag: true }).filter((atom) => !WATERS.has(atom.resn));
      if (others.length) protein.setStyle({ index: others.map((atom) => atom.index) }, { stick: { radius: 0.1, ...carbons("residue") } });
      protein.setStyle({ resn: [...WATERS] }, {});
      if (this.near.waters.length) protein.setStyle({ index: this.near.waters }, { sphere: { radius: 0.32, color: colour("water") } });
      if (this.near.atoms.length) protein.setStyle({ index: this.near.atoms }, { stick: { radius: 0.11, ...carbons("residue") } }, true);
    }
    if (this.isPocket) ligand.setStyle({}, { sphere: { radius: 0.7, color: colour("ligand"), opacity: 0.55 } });
    else {
      const atoms = ligand.selectedAtoms({});
      const onCarbon = atoms.filter((atom) => atom.elem === "H" && atom.bonds.some((other) => atoms[other]?.elem === "C"));
      ligand.setStyle({}, { stick: { radius: 0.2, ...carbons("ligand") } });
      if (onCarbon.length) ligand.setStyle({ index: onCarbon.map((atom) => atom.index) }, {});
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
        if (far <= CONTACT && !this.isPocket && POLAR.has(atom.elem) && POLAR.has(other.elem)) contacts.push([atom, other, far]);
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
    if (this.data.protein && !this.protein) lines.push("The structure of the protein cannot be read.");
    else if (!this.data.protein) lines.push("The structure of the protein is not in this page.");
    if (polar.length) lines.push(`N/O pairs within ${CONTACT} Å (dashed): ${polar.join(", ")}.`);
    if (names.length) lines.push(`Residues within ${AROUND} Å: ${names.join(", ")}.`);
    else if (this.protein) lines.push(`No residue of the protein is within ${AROUND} Å.`);
    byId("pose-text").textContent = lines.join(" ");
    const what = this.isPocket ? "Pocket" : "Pose";
    byId("viewer").setAttribute("aria-label", `${what} of ${this.row.name}${this.protein ? ` in ${this.data.protein.name}` : ""}. Arrow keys turn it, + and − zoom.`);
  }

  place() {
    if (!this.viewer || !this.ligand) return;
    this.face();
    this.viewer.render();
  }

  /** Look from outside into the pocket, with the ligand filling the view. */
  face() {
    const { viewer, ligand } = this;
    this.isPlaced = true;
    const centre = middle(ligand.selectedAtoms({}));
    const close = this.protein ? this.protein.selectedAtoms({}).filter((atom) => Math.hypot(atom.x - centre[0], atom.y - centre[1], atom.z - centre[2]) < 12) : [];
    viewer.zoomTo({ model: ligand.getID() });
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
    const { row } = this;
    const { protein } = this.data;
    byId("pose-title").textContent = row ? row.name + (protein && row.shape != null ? ` in ${protein.name}` : "") : "";
    byId("pose-text").textContent = "";
    const values = row && !row.reason ? this.data.columns.filter((column) => !column.hidden && row.values[column.index] != null) : [];
    byId("pose-values").replaceChildren(
      ...values.slice(0, 8).map((column) => element("div", {}, element("dt", { text: titleOf(column) }), element("dd", { text: shownValue(row.values[column.index], column) }))),
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
