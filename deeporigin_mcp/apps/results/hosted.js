// Inside of a host with MCP Apps: which run it is about, its rows in parts, coordinates when they are looked at.
import { firstLine, Host } from "../host.js";
import { prepared } from "./data.js";

const ROWS = "read_results_page";
const FILES = "read_results_files";
const NO_REASON = "The server gave no reason.";
const MOST_FILES = 100;
const MOST_RESTARTS = 3;
/** As high as a page in a conversation may be, and how high it is without rows. */
const [INLINE_HEIGHT, LITTLE_HEIGHT] = [500, 120];

export class Hosted {
  /** `changed` is called when the host's theme or the page's mode is another. */
  constructor(changed) {
    this.host = new Host("deeporigin-results", ["inline", "fullscreen"]);
    this.changed = changed;
    this.height = LITTLE_HEIGHT;
  }

  static isInside() {
    return Host.isInside();
  }

  /** Wait for what the host shows this page beside; the id of its execution. */
  connected() {
    return new Promise((resolve, reject) => {
      this.host.on = {
        // It may never come, and the result always does.
        input: ({ execution_id: id }) => id && resolve(String(id)),
        result: (result) => (result.isError ? reject(new Error(firstLine(result) || NO_REASON)) : resolve(String(result.structuredContent?.execution_id))),
        cancelled: () => reject(new Error("The call was cancelled.")),
        context: () => {
          this.size();
          this.changed();
        },
      };
      this.host.connect().then(() => this.size(), () => reject(new Error("This client does not show pages.")));
    });
  }

  get isWide() {
    return this.host.context.displayMode === "fullscreen";
  }

  get canBeWide() {
    return (this.host.context.availableDisplayModes || []).includes("fullscreen");
  }

  async toggleWide() {
    await this.host.displayMode(this.isWide ? "inline" : "fullscreen");
    this.size();
    this.changed();
  }

  size() {
    if (!this.isWide) this.host.resized(this.height);
  }

  /** Read the run's rows. `show` gets the data with the first of them, `grew` is called when there are more. */
  async read(id, show, grew) {
    for (let restarts = 0; restarts <= MOST_RESTARTS; restarts += 1) {
      let part = await this.call(ROWS, { execution_id: id });
      const { version } = part;
      const source = (parts, count) => this.texts(id, parts, count);
      const sourced = (shape) => ({ ...shape, source });
      const protein = part.protein ? { ...sourced(part.protein), isLasting: true } : null;
      const data = prepared({ run: part.run, notes: part.notes, columns: part.columns, rows: part.rows, shapes: part.shapes.map(sourced), protein, total: part.row_count });
      this.height = INLINE_HEIGHT;
      this.size();
      show(data);
      while (part.next_offset != null && !part.is_changed) {
        part = await this.call(ROWS, { execution_id: id, offset: part.next_offset, version });
        if (part.is_changed) break;
        data.rows.push(...part.rows);
        data.shapes.push(...part.shapes.map(sourced));
        prepared(data);
        grew();
      }
      if (!part.is_changed) return;
    }
    throw new Error("The run's results keep changing.");
  }

  /** Fetch coordinates: of the first `count` parts all, of the others what comes along. */
  async texts(id, parts, count) {
    const lacking = new Map(parts.map((part) => [part.file, part]));
    const needed = new Set(parts.slice(0, count).map(({ file }) => file));
    let offset = 0;
    let begun = "";
    while (needed.size) {
      const files = [...lacking.keys()].slice(0, MOST_FILES);
      const { files: found, next_offset: following } = await this.call(FILES, { execution_id: id, files, offset });
      if (!found?.length) throw new Error("The client did not pass the coordinates on.");
      found.forEach(({ file, text, problem }, at) => {
        const part = lacking.get(file);
        if (!part) return;
        const whole = begun + text;
        const isCut = following != null && at === found.length - 1;
        begun = isCut ? whole : "";
        if (isCut) return;
        part.text = whole;
        part.problem = problem || "";
        lacking.delete(file);
        needed.delete(file);
      });
      offset = following ?? 0;
    }
  }

  /** What a tool returns, if it is still at work after some calls more. */
  async call(tool, args) {
    for (;;) {
      const result = await this.host.callTool(tool, args);
      if (result.isError) throw new Error(firstLine(result) || NO_REASON);
      if (!result.structuredContent) throw new Error("The client did not pass the data on.");
      if (!result.structuredContent.pending) return result.structuredContent;
    }
  }
}
