// The events of a stream, and its text as it grew.

/** Return the texts of the answer: the events of the type `text` with the times at which they came, and the rest. */
function textPieces(details) {
  const pieces = details.events.filter((event) => event[1] === "text" && event[3]).map((event) => [event[0], event[3]]);
  const rest = details.end.rest?.text;
  if (rest) pieces.push([pieces.length ? pieces[pieces.length - 1][0] : 0, rest]);
  return pieces;
}

/** Return the text of a stream with a slider for the time, or null without a text. */
function growingText(details) {
  const pieces = textPieces(details);
  if (!pieces.length) return null;
  const [came, missing] = [h("span", {}), h("span", { class: "missing" })];
  const output = h("output", {});
  const slider = h("input", {
    type: "range", min: 0, max: pieces.length, value: pieces.length, "aria-label": "Text as it had arrived",
    oninput: () => show(Number(slider.value)),
  });
  const show = (count) => {
    came.textContent = pieces.slice(0, count).map((piece) => piece[1]).join("");
    missing.textContent = pieces.slice(count).map((piece) => piece[1]).join("");
    output.textContent = count ? `${formatSeconds(pieces[count - 1][0])}, piece ${count} of ${pieces.length}` : "before the first piece";
    slider.setAttribute("aria-valuetext", output.textContent);
  };
  show(pieces.length);
  return h("section", {}, h("h3", {}, "Text as it grew"), h("div", { class: "grow" }, slider, output),
    h("p", { class: "text" }, came, missing));
}

/** Return the events as a table, or null without events. */
function eventTable(details) {
  if (!details.events.length) return null;
  let before = null;
  const rows = details.events.map(([at, type, size, text, data]) => {
    const gap = before === null ? "" : `+${formatSeconds(Math.max(0, at - before))}`;
    before = at;
    return h("tr", {}, h("td", {}, formatSeconds(at)), h("td", { class: "quiet" }, gap), h("td", {}, type ?? "–"),
      h("td", {}, size === null ? "" : formatBytes(size)), h("td", { class: "what" }, text ?? data ?? ""));
  });
  const omitted = details.omitted ? ` (${formatCount(details.omitted)} in the middle are left out)` : "";
  return h("details", { class: "events" },
    h("summary", {}, `Events: ${formatCount(details.events.length)}${omitted}`),
    h("table", {},
      h("thead", {}, h("tr", {}, ...["At", "After", "Type", "Size", "Text or data"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows)));
}
