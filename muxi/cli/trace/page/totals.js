// Totals by operation: those of the whole trace, or of the calls that a filter shows.

const TOTALS_COLUMNS = [
  ["calls", "Calls", formatCount],
  ["failed", "Failed", formatCount],
  ["retries", "Retries", formatCount],
  ["p50", "p50", formatSeconds],
  ["p95", "p95", formatSeconds],
  ["first_event_p50", "First event p50", formatSeconds],
  ["first_event_p95", "p95", formatSeconds],
  ["events_per_second", "Events per s", (value) => (value === null ? "–" : value.toPrecision(3))],
];

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] : null;
}

function totalsOf(calls) {
  const seconds = calls.filter((call) => call.outcome !== "unfinished").map((call) => call.seconds);
  const first = calls.filter((call) => call.first !== null).map((call) => call.first);
  seconds.sort((a, b) => a - b);
  first.sort((a, b) => a - b);
  let [failed, retries, events, streamed] = [0, 0, 0, 0];
  for (const call of calls) {
    failed += call.outcome === "failed";
    retries += Math.max(0, call.attempts - 1);
    events += Math.max(0, call.events - 1);
    streamed += call.streamed;
  }
  return {
    calls: calls.length, failed, retries, p50: quantile(seconds, 0.5), p95: quantile(seconds, 0.95),
    first_event_p50: quantile(first, 0.5), first_event_p95: quantile(first, 0.95),
    events_per_second: streamed > 0 ? events / streamed : null,
  };
}

/** Return totals of calls in the form of those that the builder of the page has made of the whole trace. */
function totalsByOperation(calls) {
  const groups = new Map();
  for (const call of calls) {
    if (!groups.has(call.operation)) groups.set(call.operation, []);
    groups.get(call.operation).push(call);
  }
  const names = [...groups.keys()].sort();
  return {
    all: totalsOf(calls),
    operations: Object.fromEntries(names.map((name) => [name, totalsOf(groups.get(name))])),
  };
}

function totalsTable(totals, choose) {
  const row = (name, values, kind) =>
    h("tr", { class: kind }, name, ...TOTALS_COLUMNS.map(([key, , format]) =>
      h("td", { class: key === "failed" && values.failed ? "bad" : null }, format(values[key]))));
  const header = h("tr", {}, h("th", { scope: "col" }, "Operation"),
    ...TOTALS_COLUMNS.map(([, label]) => h("th", { scope: "col" }, label)));
  const entries = Object.entries(totals.operations).sort((a, b) => b[1].calls - a[1].calls);
  return h("table", { class: "totals" },
    h("caption", { class: "hidden" }, "Totals by operation"),
    h("thead", {}, header),
    h("tbody", {}, ...entries.map(([name, values]) =>
      row(h("th", { scope: "row" }, h("button", { type: "button", class: "link", onclick: () => choose(name) }, name)),
        values, null))),
    h("tfoot", {}, row(h("th", { scope: "row" }, "All"), totals.all, "sum")));
}
