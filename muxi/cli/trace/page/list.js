// The list of calls: a grid of which only the rows in view are in the document.

/** Rows that are drawn above and below the view. */
const OVERSCAN = 6;

/** Share of the time in view below which the longest call is too short to be drawn at its time. */
const SPARSE = 0.03;

class CallList {
  /** `grid` is focusable and scrolls; `show(call, focus)` is called for the call that is chosen. */
  constructor(grid, body, ruler, calls, show) {
    Object.assign(this, { grid, body, ruler, calls, show });
    this.shown = [];
    this.active = -1;
    this.chosen = null;
    this.fromStart = false;
    this.rows = new Map();
    this.due = false;
    grid.addEventListener("scroll", () => this.schedule(), { passive: true });
    new ResizeObserver(() => this.schedule()).observe(grid);
    grid.addEventListener("keydown", (event) => this.key(event));
    grid.addEventListener("focus", () => this.active < 0 && this.shown.length && this.activate(this.firstInView()));
    body.addEventListener("click", (event) => {
      const row = event.target.closest("[data-index]");
      if (row) this.activate(Number(row.dataset.index), true);
    });
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 34;
  }

  get headHeight() {
    return this.body.offsetTop;
  }

  firstInView() {
    return Math.min(Math.ceil(this.grid.scrollTop / this.rowHeight), this.shown.length - 1);
  }

  /** Show these calls; the active one stays active if it is among them. */
  update(shown) {
    const pinned = this.atEnd && this.shown.length > 0;
    const active = this.shown[this.active];
    this.shown = shown;
    this.active = active ? shown.indexOf(active) : -1;
    this.grid.setAttribute("aria-rowcount", String(shown.length + 1));
    this.body.style.height = `${shown.length * this.rowHeight}px`;
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    if (pinned && this.follows) this.grid.scrollTop = this.grid.scrollHeight;
    this.schedule();
  }

  get atEnd() {
    return this.grid.scrollTop + this.grid.clientHeight >= this.grid.scrollHeight - this.rowHeight;
  }

  /** Whether new calls at the end scroll into view. */
  follows = false;

  schedule() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }

  draw() {
    // All sizes are read before anything is changed, so that a frame is laid out once.
    const [height, pixels] = [this.rowHeight, this.ruler.clientWidth];
    const space = this.grid.clientHeight - this.headHeight;
    const first = Math.max(0, Math.floor(this.grid.scrollTop / height));
    const last = Math.min(this.shown.length, Math.ceil((this.grid.scrollTop + space) / height));
    const [from, to] = [Math.max(0, first - OVERSCAN), Math.min(this.shown.length, last + OVERSCAN)];
    for (const [index, row] of this.rows) {
      if (index < from || index >= to) {
        row.remove();
        this.rows.delete(index);
      }
    }
    const added = [];
    for (let index = from; index < to; index += 1) {
      if (!this.rows.has(index)) {
        const row = this.makeRow(this.shown[index], index, height);
        this.rows.set(index, row);
        added.push(row);
      }
    }
    this.body.append(...added);
    this.mark();
    this.drawBars(first, last, pixels);
  }

  makeRow(call, index, height) {
    const status = statusOf(call);
    const retries = call.attempts > 1 ? `, ${call.attempts} attempts` : "";
    const course = `${formatSeconds(call.seconds)}${retries}${call.events ? `, ${call.events} events` : ""}`;
    const row = h("div", {
      role: "row", class: `row ${call.outcome}`, id: `row-${index}`, "aria-rowindex": index + 2, "data-index": index,
    },
      h("span", { role: "gridcell", class: "start" }, formatTime(call.start)),
      h("span", { role: "gridcell", class: "operation" }, h("b", {}, call.operation),
        h("span", { class: "quiet" }, ` ${call.method ?? ""} ${call.route ?? ""}`)),
      h("span", { role: "gridcell", class: "user" }, call.user ?? ""),
      h("span", { role: "gridcell", class: "status" }, badge(call, status)),
      h("span", { role: "gridcell", class: "took" }, formatSeconds(call.seconds)),
      h("span", { role: "gridcell", class: "course", "aria-label": course }, s("svg", { class: "bar", "aria-hidden": "true" })));
    row.style.transform = `translateY(${index * height}px)`;
    return row;
  }

  /** Draw the bars of all rows on one scale: the time that the rows in view cover, or the longest of them. */
  drawBars(first, last, pixels) {
    const view = this.shown.slice(first, last);
    if (!view.length) return this.ruler.replaceChildren();
    const start = view.reduce((least, call) => Math.min(least, call.start), Infinity);
    const longest = view.reduce((most, call) => Math.max(most, call.seconds), 0);
    const covered = view.reduce((most, call) => Math.max(most, call.start + call.seconds - start), 0);
    // Calls with long pauses between them would be specks on a common line of time.
    const aligned = this.fromStart || longest < SPARSE * covered;
    const span = aligned ? longest : covered;
    for (const [index, row] of this.rows) {
      const call = this.shown[index];
      const from = aligned ? 0 : start - call.start;
      drawBar(row.lastChild.firstChild, call, this.calls.details(call), from, from + span, pixels);
    }
    this.ruler.replaceChildren(axis(span, pixels));
  }

  mark() {
    for (const [index, row] of this.rows) {
      row.classList.toggle("active", index === this.active);
      row.setAttribute("aria-selected", String(this.shown[index] === this.chosen));
    }
    if (this.rows.has(this.active)) this.grid.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  /** Make a row the active one and scroll it into view; with `open` its details are shown. */
  activate(index, open = false) {
    if (!this.shown.length) return;
    this.active = Math.min(Math.max(index, 0), this.shown.length - 1);
    const [height, top] = [this.rowHeight, this.grid.scrollTop];
    const space = this.grid.clientHeight - this.headHeight;
    const offset = this.active * height;
    if (offset < top) this.grid.scrollTop = offset;
    else if (offset + height > top + space) this.grid.scrollTop = offset + height - space;
    if (open || this.chosen) this.choose(this.shown[this.active]);
    this.draw();
  }

  /** Show the details of a call, or of none. */
  choose(call, focus = false) {
    this.chosen = call;
    this.show(call, focus);
    this.mark();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((this.grid.clientHeight - this.headHeight) / this.rowHeight) - 1);
    const moves = {
      ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    if (event.key in moves && event.target === this.grid) {
      event.preventDefault();
      this.activate(this.active < 0 ? this.firstInView() : this.active + moves[event.key]);
    } else if ((event.key === "Enter" || event.key === " ") && event.target === this.grid && this.active >= 0) {
      event.preventDefault();
      this.choose(this.shown[this.active], event.key === "Enter");
    }
  }
}

/** The status of a call as a label; failures have a mark beside the colour. */
function badge(call, status) {
  const mark = { failed: "✕ ", unfinished: "… ", left: "↩ " }[call.outcome] ?? "";
  return h("span", { class: `badge ${call.outcome}` }, mark + status);
}
