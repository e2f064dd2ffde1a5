// 2D structures as SVG elements: some hosts forbid every image, also those that a page brings along.
import { element } from "../elements.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 190;
const HEIGHT = 108;
const MOST_CHARACTERS = 300;
const MOST_KEPT = 600;
const MOST_SCALE = 1.3;
const INK = { light: "#1b1f24", dark: "#eef1f5" };
const kept = new Map();

const atoms = (ink, others) => ({ C: ink, H: ink, FOREGROUND: ink, BACKGROUND: "none", ...others });
const THEMES = {
  light: atoms(INK.light, { O: "#c22f1f", N: "#1f5fc4", F: "#1d7d33", CL: "#1d7d33", BR: "#8f3a10", I: "#6d2a9c", P: "#a85b00", S: "#8a6d00", B: "#a85b00", SI: "#a85b00" }),
  dark: atoms(INK.dark, { O: "#ff8b7b", N: "#86b7ff", F: "#7ddc93", CL: "#7ddc93", BR: "#f0a070", I: "#d0a2f2", P: "#f2b84b", S: "#f2d34b", B: "#f2b84b", SI: "#f2b84b" }),
};

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** A drawing of a molecule, or words where there is none. */
export function structureOf(smiles, name) {
  if (!smiles) return element("span", { class: "quiet", text: "no structure" });
  const drawing = pictureOf(smiles, isDark() ? "dark" : "light");
  if (!drawing) return element("span", { class: "quiet", text: "cannot be drawn", title: smiles });
  const svg = drawing.cloneNode(true);
  svg.setAttribute("aria-label", `Structure of ${name}`);
  return svg;
}

function pictureOf(smiles, theme) {
  const key = `${theme} ${smiles}`;
  if (!kept.has(key)) {
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
    kept.set(key, smiles.length > MOST_CHARACTERS ? null : drawn(smiles, theme));
  }
  return kept.get(key);
}

function drawn(smiles, theme) {
  try {
    const drawer = new SmilesDrawer.SvgDrawer({
      width: WIDTH, height: HEIGHT, padding: 6, bondThickness: 1.1, bondLength: 18, shortBondLength: 0.8,
      fontSizeLarge: 9, fontSizeSmall: 6, terminalCarbons: false, compactDrawing: false, themes: THEMES,
    });
    const svg = document.createElementNS(SVG, "svg");
    let failed = false;
    SmilesDrawer.parse(smiles, (tree) => drawer.draw(tree, svg, theme), () => (failed = true));
    if (failed) return null;
    // The library's own view box is a square, which leaves a wide molecule small.
    const area = svg.querySelector("mask rect");
    if (area) {
      const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(area.getAttribute(name)));
      // A small molecule is not drawn larger than the others.
      const [wide, high] = [Math.max(width, WIDTH / MOST_SCALE), Math.max(height, HEIGHT / MOST_SCALE)];
      svg.setAttribute("viewBox", [x - (wide - width) / 2, y - (high - height) / 2, wide, high].join(" "));
    }
    // The page has these rules once.
    svg.querySelector("style")?.remove();
    for (const [name, value] of [["width", WIDTH], ["height", HEIGHT], ["role", "img"]]) svg.setAttribute(name, value);
    const title = document.createElementNS(SVG, "title");
    title.textContent = smiles;
    svg.prepend(title);
    return svg;
  } catch {
    return null;
  }
}
