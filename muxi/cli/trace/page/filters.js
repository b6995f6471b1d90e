// Which calls are shown, and in which order. Functions of calls and of a filter, without the page.

const NO_FILTER = {
  text: "", operation: "", status: "", user: "", session: "", request: "", slower: 0, failed: false,
};

function haystackOf(call) {
  call.haystack ??= [
    call.operation, call.method, call.route, call.user, call.session, call.request, call.id, call.status, call.error,
    call.outcome,
  ].join("\n").toLowerCase();
  return call.haystack;
}

/** Return whether a call passes a filter. Every word of the search has to occur. */
function passes(call, filter, words) {
  if (filter.failed && call.outcome !== "failed") return false;
  if (filter.operation && call.operation !== filter.operation) return false;
  if (filter.status && statusOf(call) !== filter.status) return false;
  if (filter.slower && call.seconds * 1000 < filter.slower) return false;
  for (const name of ["user", "session", "request"]) {
    if (filter[name] && !(call[name] ?? "").toLowerCase().includes(filter[name].toLowerCase())) return false;
  }
  return words.every((word) => haystackOf(call).includes(word));
}

/** The status of a call as it is shown: that of HTTP, or how the call ended without one. */
function statusOf(call) {
  if (call.outcome === "unfinished") return "running";
  if (call.outcome === "left") return "left";
  return call.status ? String(call.status) : call.outcome === "failed" ? "no answer" : "ok";
}

const ORDERS = {
  start: (a, b) => a.start - b.start,
  operation: (a, b) => a.operation.localeCompare(b.operation) || a.start - b.start,
  user: (a, b) => (a.user ?? "").localeCompare(b.user ?? "") || a.start - b.start,
  status: (a, b) => statusOf(a).localeCompare(statusOf(b)) || a.start - b.start,
  seconds: (a, b) => a.seconds - b.seconds || a.start - b.start,
};

/** Return the calls that pass a filter, in order. */
function select(calls, filter, order, descending) {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = calls.filter((call) => passes(call, filter, words)).sort(ORDERS[order]);
  return descending ? found.reverse() : found;
}

/** Return the values of a column with their numbers of calls, the most frequent first. */
function valuesOf(calls, read, most = 200) {
  const counts = new Map();
  for (const call of calls) {
    const value = read(call);
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, most);
}
