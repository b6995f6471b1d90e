// The details of one call.

function fact(name, value) {
  return value === null || value === undefined || value === "" ? [] : [h("dt", {}, name), h("dd", {}, String(value))];
}

function headerTable(pairs) {
  return h("table", { class: "headers" }, h("caption", { class: "hidden" }, "Headers"),
    h("tbody", {}, ...pairs.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))));
}

/** A request or an answer: its first line, headers and body. */
function messagePart(title, content, open) {
  const size = content.size === null || content.size === undefined ? "" : `, ${formatBytes(content.size)}`;
  return h("details", { open }, h("summary", {}, `${title}${size}`),
    content.headers.length ? headerTable(content.headers) : null,
    content.body ? h("pre", { tabindex: 0, "aria-label": `Body: ${title}` }, prettify(content.body)) : null);
}

/** The reason why a call was or was not sent again. */
function verdict(kind, text) {
  return h("p", { class: `verdict ${kind}` }, text);
}

function attemptPart(attempt, index, total) {
  const name = attempt.redirect ? `Redirect ${attempt.redirect}` : `Attempt ${attempt.n ?? index + 1}`;
  const parts = [h("h3", {}, `${name} at ${formatSeconds(attempt.at)}`)];
  parts.push(messagePart(`${attempt.method ?? "Request"} ${attempt.url ?? ""}`, attempt, total === 1));
  if (attempt.head) {
    const { status, reason, at } = attempt.head;
    parts.push(messagePart(`${status ?? "Answer"} ${reason ?? ""} at ${formatSeconds(at)}`, attempt.head, total === 1));
  }
  if (attempt.failed) {
    const { error, code, message } = attempt.failed;
    parts.push(h("p", { class: "failure" }, h("b", {}, `${error ?? "Error"} ${code ?? ""}`), ` ${message ?? ""}`));
  }
  if (attempt.wait) {
    const wait = formatSeconds(attempt.wait.delay);
    parts.push(verdict("made", `Sent again after ${wait}: ${attempt.wait.why ?? "no reason was noted"}.`));
  }
  return h("section", { class: "attempt" }, ...parts);
}

function linkOf(call) {
  return `${location.href.split("#")[0]}#call=${encodeURIComponent(call.id)}`;
}

function copyButton(call) {
  const button = h("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(linkOf(call));
      button.textContent = "Copied";
    } catch {
      // Without the right to write to the clipboard the address bar has the link.
      button.textContent = "Link is in the address bar";
    }
  } }, "Copy link");
  return button;
}

/** Fill the panel with the details of a call. */
function drawDetail(panel, call, details, close) {
  const end = details.end;
  const failure = call.outcome === "failed" && !details.attempts[details.attempts.length - 1]?.failed
    ? h("p", { class: "failure" }, h("b", {}, `${end.error ?? "Error"} ${end.code ?? ""}`), ` ${end.message ?? ""}`) : null;
  const open = new Set([...panel.querySelectorAll("details[open]")].map((part) => part.firstChild.textContent));
  panel.replaceChildren(
    h("header", {},
      h("div", {}, h("h2", { id: "detail-title", tabindex: -1 }, call.operation, " ", badge(call, statusOf(call))),
        h("p", {}, `${call.method ?? ""} ${call.route ?? ""}`)),
      h("div", { class: "actions" }, copyButton(call),
        h("button", { type: "button", class: "close", onclick: close, "aria-label": "Close details" }, "✕"))),
    h("dl", { class: "facts" },
      ...fact("Started", formatDate(call.start)), ...fact("Took", formatSeconds(call.seconds)),
      ...fact("First event", call.first === null ? null : `after ${formatSeconds(call.first)}`),
      ...fact("User", call.user), ...fact("Session", call.session), ...fact("Request", call.request),
      ...fact("Key", details.key), ...fact("Safety", details.safety),
      ...fact("max_retries", details.max_retries), ...fact("Process", details.pid), ...fact("Call", call.id)),
    largeWaterfall(call, details, Math.max(100, panel.clientWidth - 250)),
    details.reduced ? h("p", { class: "quiet" }, "Bodies and texts of this call were too large for the page.") : "",
    ...details.attempts.map((attempt, index) => attemptPart(attempt, index, details.attempts.length)),
    failure ?? "",
    call.outcome === "failed" && end.why ? verdict("not", `Not sent again: ${end.why}.`) : "",
    growingText(details) ?? "",
    eventTable(details) ?? "",
  );
  for (const part of panel.querySelectorAll("details")) if (open.has(part.firstChild.textContent)) part.open = true;
}
