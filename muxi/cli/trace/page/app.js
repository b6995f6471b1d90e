// The page: its state, and what connects the parts.

function start() {
  const { head, calls } = readPage();
  const state = { filter: { ...NO_FILTER }, order: "start", descending: false, totals: head.totals, lines: head.lines };
  const form = find("filters");
  const panel = find("detail");

  const list = new CallList(find("calls"), find("rows"), find("ruler"), calls, (call, focus) => {
    document.body.classList.toggle("with-detail", Boolean(call));
    panel.hidden = !call;
    if (!call) return;
    drawDetail(panel, call, calls.details(call), close);
    panel.scrollTop = 0;
    if (focus) find("detail-title").focus();
    const hash = `#call=${encodeURIComponent(call.id)}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  });

  function close() {
    list.choose(null);
    history.replaceState(null, "", location.href.split("#")[0]);
    find("calls").focus();
  }

  function isFiltered() {
    return Object.keys(NO_FILTER).some((name) => state.filter[name] !== NO_FILTER[name]);
  }

  function refresh() {
    const shown = select(calls.all, state.filter, state.order, state.descending);
    list.update(shown);
    const all = calls.all.length;
    const part = isFiltered() ? `${formatCount(shown.length)} of ${formatCount(all)} calls` : `${formatCount(all)} calls`;
    find("count").textContent = part;
    find("empty").hidden = shown.length > 0;
    find("clear").hidden = !isFiltered();
    if (!find("totals").hidden) drawTotals(shown);
  }

  function drawTotals(shown) {
    const whole = !isFiltered();
    find("totals-scope").textContent = whole
      ? `All ${formatCount(state.totals.all.calls)} calls of the trace. Times are exact to one percent.`
      : `The ${formatCount(shown.length)} calls that the filters show.`;
    const table = totalsTable(whole ? state.totals : totalsByOperation(shown), (name) => {
      form.elements.operation.value = name;
      readForm();
      showTab("calls");
    });
    find("totals-table").replaceChildren(table);
  }

  function describeTrace() {
    const all = state.totals.all;
    const lines = state.lines;
    find("summary").textContent = [
      `${formatCount(all.failed)} failed`, `${formatCount(all.retries)} retries`,
      formatBytes(lines.bytes),
    ].join(" · ");
    const notes = [];
    if (all.calls > calls.all.length) {
      notes.push(`The list has ${formatCount(calls.all.length)} calls: the newest, and of the older ones the slowest and `
        + "the failed. The totals are those of all calls.");
    }
    const unread = [["junk", "no lines of a trace"], ["long", "too long"], ["newer", "of a later version"], ["cut", "cut off"]]
      .filter(([name]) => lines[name]).map(([name, text]) => `${formatCount(lines[name])} ${text}`);
    if (unread.length) notes.push(`Lines that could not be read: ${unread.join(", ")}.`);
    find("notes").textContent = notes.join(" ");
    find("notes").hidden = !notes.length;
  }

  function fillChoices() {
    for (const [name, read] of [["operation", (call) => call.operation], ["status", statusOf]]) {
      const choice = form.elements[name];
      const chosen = choice.value;
      const options = valuesOf(calls.all, read).map(([value, count]) => h("option", { value }, `${value} (${formatCount(count)})`));
      choice.replaceChildren(choice.firstElementChild, ...options);
      choice.value = chosen;
      if (choice.selectedIndex < 0) choice.value = "";
    }
    const users = valuesOf(calls.all, (call) => call.user).map(([value]) => h("option", { value }));
    find("users").replaceChildren(...users);
  }

  function readForm() {
    const fields = form.elements;
    state.filter = {
      text: fields.text.value.trim(), operation: fields.operation.value, status: fields.status.value,
      user: fields.user.value.trim(), session: fields.session.value.trim(), request: fields.request.value.trim(),
      slower: Math.max(0, Number(fields.slower.value) || 0), failed: fields.failed.checked,
    };
    refresh();
  }

  function sortBy(order) {
    state.descending = state.order === order ? !state.descending : order === "seconds";
    state.order = order;
    for (const header of document.querySelectorAll("[data-order]")) {
      const own = header.dataset.order === order;
      header.setAttribute("aria-sort", own ? (state.descending ? "descending" : "ascending") : "none");
    }
    find("calls").scrollTop = 0;
    refresh();
  }

  function showTab(name) {
    for (const tab of ["calls", "totals"]) {
      find(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
      find(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    }
    find("view-calls").hidden = name !== "calls";
    find("totals").hidden = name !== "totals";
    panel.hidden = name !== "calls" || !list.chosen;
    refresh();
  }

  function openLinked() {
    const match = /^#call=(.+)$/.exec(location.hash);
    if (!match) return;
    let id = match[1];
    try {
      id = decodeURIComponent(id);
    } catch {
      return; // not a link that this page has made
    }
    const call = calls.byId.get(id);
    if (!call || call === list.chosen) return;
    if (!list.shown.includes(call)) {
      form.reset();
      readForm();
    }
    list.activate(list.shown.indexOf(call), true);
  }

  function onKey(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox"
      && event.target.type !== "range";
    if (event.key === "Escape" && !find("help").open) {
      if (typing && event.target.value && event.target.tagName === "INPUT") {
        event.target.value = "";
        readForm();
      } else if (typing) find("calls").focus();
      else if (!panel.hidden) close();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || find("help").open) return;
    const actions = {
      "/": () => form.elements.text.focus(),
      f: () => { form.elements.failed.click(); },
      t: () => showTab(find("totals").hidden ? "totals" : "calls"),
      "?": () => find("help").showModal(),
    };
    if (actions[event.key]) {
      event.preventDefault();
      actions[event.key]();
    }
  }

  form.addEventListener("input", readForm);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(readForm));
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", openLinked);
  matchMedia("(max-width: 760px)").addEventListener("change", refresh);
  for (const header of document.querySelectorAll("[data-order]")) {
    header.firstElementChild.addEventListener("click", () => sortBy(header.dataset.order));
  }
  find("align").addEventListener("change", (event) => {
    list.fromStart = event.target.checked;
    list.schedule();
  });
  for (const tab of ["calls", "totals"]) {
    find(`tab-${tab}`).addEventListener("click", () => showTab(tab));
    find(`tab-${tab}`).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = tab === "calls" ? "totals" : "calls";
      showTab(other);
      find(`tab-${other}`).focus();
    });
  }
  find("more").addEventListener("click", () => {
    const open = form.classList.toggle("open");
    find("more").setAttribute("aria-expanded", String(open));
  });
  find("show-help").addEventListener("click", () => find("help").showModal());

  fillChoices();
  describeTrace();
  refresh();
  openLinked();
  if (head.live) {
    list.follows = true;
    find("live").hidden = false;
    let last = 0;
    follow(head.sequence, (update) => {
      calls.put(update.rows, update.details);
      Object.assign(state, { totals: update.totals, lines: update.lines });
      describeTrace();
      // The choices change seldom; building them for each update would take them from under the pointer.
      if (performance.now() - last > 2000 && document.activeElement?.tagName !== "SELECT") {
        last = performance.now();
        fillChoices();
      }
      refresh();
      if (list.chosen && update.rows.some((row) => row[0] === list.chosen.id)) {
        const top = panel.scrollTop;
        drawDetail(panel, list.chosen, calls.details(list.chosen), close);
        panel.scrollTop = top;
      }
    }, (condition) => {
      find("live").textContent = LIVE_TEXTS[condition];
      find("live").className = `live ${condition}`;
    });
  }
  document.body.dataset.ready = "true";
}

start();
