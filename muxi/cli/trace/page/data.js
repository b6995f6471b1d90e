// The calls of the trace: rows at once, details when they are looked at.

/** Parsed details that are kept; a screen shows some forty rows. */
const DETAILS_KEPT = 400;

class Calls {
  constructor(columns) {
    this.columns = columns;
    this.all = [];
    this.byId = new Map();
    this.parsed = new Map();
  }

  /** Add calls, or replace those of the same ids. Return whether any was replaced. */
  put(rows, details) {
    let replaced = false;
    rows.forEach((values, index) => {
      const call = { details: details[index], haystack: null };
      this.columns.forEach((name, column) => (call[name] = values[column]));
      const known = this.byId.get(call.id);
      if (known) {
        Object.assign(known, call);
        this.parsed.delete(call.id);
        replaced = true;
      } else {
        this.byId.set(call.id, call);
        this.all.push(call);
      }
    });
    return replaced;
  }

  /** The details of a call: attempts, events, end. */
  details(call) {
    let found = this.parsed.get(call.id);
    if (!found) {
      found = JSON.parse(call.details);
      if (this.parsed.size >= DETAILS_KEPT) this.parsed.delete(this.parsed.keys().next().value);
      this.parsed.set(call.id, found);
    }
    return found;
  }
}

/** The data of the page, which its builder has put into it as JSON. */
function readPage() {
  const head = JSON.parse(find("trace-head").textContent);
  const calls = new Calls(head.columns);
  const details = find("trace-details").textContent.trim();
  calls.put(JSON.parse(find("trace-rows").textContent), details ? details.split("\n") : []);
  return { head, calls };
}
