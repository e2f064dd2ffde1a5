// The view's side of MCP Apps: JSON-RPC over postMessage with the host that shows this page.

const PROTOCOL = "2026-01-26";
const NOT_FOUND = { code: -32601, message: "Method not found" };

export class Host {
  /** Whether a host may be there: a page from the disk is in no frame. */
  static isInside() {
    return window.parent !== window;
  }

  constructor(name, displayModes = ["inline"]) {
    this.name = name;
    this.displayModes = displayModes;
    /** Set before connect: result(CallToolResult), input(arguments), context(merged), cancelled(reason), teardown(). */
    this.on = {};
    this.capabilities = {};
    this.context = {};
    this.waiting = new Map();
    this.ids = 0;
  }

  /** → {capabilities, context}. The host sends a tool's input and result only after this; the input may never come. */
  async connect() {
    window.addEventListener("message", (event) => this.received(event));
    const answer = await this.request("ui/initialize", {
      protocolVersion: PROTOCOL,
      appInfo: { name: this.name, version: "1" },
      appCapabilities: { availableDisplayModes: this.displayModes },
    });
    this.capabilities = answer.hostCapabilities || {};
    this.changed(answer.hostContext || {});
    this.notify("ui/notifications/initialized");
    this.resized();
    return { capabilities: this.capabilities, context: this.context };
  }

  /** The CallToolResult, an error of the tool too. Throws where the host did not carry the call or its result. */
  callTool(name, args) {
    return this.request("tools/call", { name, arguments: args });
  }

  /** For the model, so that it need not ask what the person did here. */
  tell(text) {
    if (!this.capabilities.updateModelContext) return;
    this.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
  }

  /** False where the host cannot, or did not. */
  async download(name, mimeType, text) {
    if (!this.capabilities.downloadFile) return false;
    const resource = { uri: `file:///${encodeURIComponent(name)}`, mimeType, text };
    const contents = [{ type: "resource", resource }];
    const answer = await this.request("ui/download-file", { contents }).catch(() => ({ isError: true }));
    return !answer.isError;
  }

  /** → the mode that is in force then. */
  async displayMode(mode) {
    if (!(this.context.availableDisplayModes || []).includes(mode)) return this.context.displayMode;
    const answer = await this.request("ui/request-display-mode", { mode }).catch(() => ({}));
    this.context.displayMode = answer.mode || this.context.displayMode;
    return this.context.displayMode;
  }

  /** Says how much room the page wants; without a height, that of its content. */
  resized(height = document.documentElement.getBoundingClientRect().height) {
    const { width } = document.documentElement.getBoundingClientRect();
    this.notify("ui/notifications/size-changed", { width: Math.ceil(width), height: Math.ceil(height) });
  }

  request(method, params) {
    return new Promise((resolve, reject) => {
      const id = (this.ids += 1);
      this.waiting.set(id, { resolve, reject });
      this.post({ id, method, params });
    });
  }

  notify(method, params = {}) {
    this.post({ method, params });
  }

  post(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  /** Only the frame that holds this page is listened to. */
  received({ source, data }) {
    if (source !== window.parent || !data || data.jsonrpc !== "2.0") return;
    const { id, method, params = {} } = data;
    if (method === undefined) {
      const call = this.waiting.get(id);
      this.waiting.delete(id);
      if (call && data.error) call.reject(new Error(String(data.error.message || "The host refused.")));
      else if (call) call.resolve(data.result || {});
    } else if (id !== undefined) {
      const isKnown = method === "ping" || method === "ui/resource-teardown";
      if (method === "ui/resource-teardown") this.on.teardown?.();
      this.post(isKnown ? { id, result: {} } : { id, error: NOT_FOUND });
    } else if (method === "ui/notifications/tool-input") this.on.input?.(params.arguments || {});
    else if (method === "ui/notifications/tool-result") this.on.result?.(params);
    else if (method === "ui/notifications/tool-cancelled") this.on.cancelled?.(String(params.reason || ""));
    else if (method === "ui/notifications/host-context-changed") this.changed(params);
  }

  changed(context) {
    this.context = { ...this.context, ...context };
    const { theme, styles } = context;
    const root = document.documentElement;
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    for (const [name, value] of Object.entries(styles?.variables || {})) {
      if (/^--[a-z0-9-]+$/.test(name) && typeof value === "string") root.style.setProperty(name, value);
    }
    this.on.context?.(this.context);
  }
}

/** The first line of a result's text, which is what an error is about. */
export function firstLine(result) {
  const block = (result.content || []).find((each) => each.type === "text");
  return block ? String(block.text).split("\n")[0] : "";
}
