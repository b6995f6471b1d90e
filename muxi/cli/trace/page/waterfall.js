// The course of a call as segments on a line of time, and their drawing.

/** Pixels between two marks of events; of more events, evenly chosen ones are drawn. */
const TICK_DISTANCE = 5;

/** Return the segments of a call: requests, answers, waits, in seconds since its start. */
function segmentsOf(call, details) {
  const segments = [];
  details.attempts.forEach((attempt, index) => {
    const next = details.attempts[index + 1];
    const end = Math.max(attempt.at, attempt.failed?.at ?? attempt.wait?.at ?? next?.at ?? call.seconds);
    const head = attempt.head ? Math.min(Math.max(attempt.head.at, attempt.at), end) : end;
    const bad = Boolean(attempt.failed) || (!next && call.outcome === "failed");
    segments.push({ kind: bad ? "request bad" : "request", from: attempt.at, to: head });
    // Of an answer that was read at once, the moment of its decoding is not shown.
    if (end - head > (call.events ? 0 : 0.03 * call.seconds)) {
      segments.push({ kind: bad ? "answer bad" : "answer", from: head, to: end });
    } else segments[segments.length - 1].to = end;
    if (attempt.wait) {
      segments.push({ kind: "wait", from: attempt.wait.at, to: attempt.wait.at + attempt.wait.delay });
    }
  });
  if (!segments.length) segments.push({ kind: "request", from: 0, to: call.seconds });
  return segments;
}

/** Return the times of the events that are drawn on a number of pixels. */
function ticksOf(details, pixels) {
  const step = Math.max(1, Math.ceil(details.events.length / Math.max(2, pixels / TICK_DISTANCE)));
  return details.events.filter((_, index) => index % step === 0).map((event) => event[0]);
}

/** Draw a call into an SVG element whose width stands for the time from `from` to `to`, in seconds since its start. */
function drawBar(svg, call, details, from, to, pixels) {
  const scale = 100 / Math.max(to - from, 1e-6);
  const place = (seconds) => Math.min(Math.max((seconds - from) * scale, -1), 101);
  const shapes = segmentsOf(call, details).map((segment) => {
    const [left, right] = [place(segment.from), place(segment.to)];
    return s("rect", {
      class: segment.kind, x: `${left}%`, width: `${Math.max(right - left, 0.35)}%`,
      y: segment.kind === "wait" ? "42%" : "22%", height: segment.kind === "wait" ? "16%" : "56%", rx: 2,
    });
  });
  const ticks = ticksOf(details, (call.streamed * scale * pixels) / 100);
  if (ticks.length) {
    // One path for all of them: a list draws some forty bars for each frame of scrolling.
    const marks = ticks.map((at) => `M${((place(at) * pixels) / 100).toFixed(1)} 4.5v11`).join("");
    shapes.push(s("path", { class: "ticks", d: marks }));
  }
  svg.replaceChildren(...shapes);
}

/** Return round numbers that divide a span into at most so many parts. */
function gridOf(span, parts) {
  const rough = Math.max(span, 1e-6) / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const marks = [];
  for (let mark = 0; mark <= span * 1.0001; mark += step) marks.push(mark);
  return marks;
}

/** Pixels that a label of the axis needs. */
const LABEL_WIDTH = 84;

function axis(span, pixels) {
  const labels = gridOf(span, Math.max(2, Math.floor(pixels / LABEL_WIDTH))).map((mark) => {
    const share = mark / Math.max(span, 1e-6);
    const before = (1 - share) * pixels < LABEL_WIDTH * 0.7 && mark > 0;
    const label = h("span", { class: before ? "before" : null }, mark === 0 ? "0" : formatSeconds(mark));
    label.style.left = `${share * 100}%`;
    return label;
  });
  return h("div", { class: "axis", "aria-hidden": "true" }, ...labels);
}

/** Return a large waterfall of one call: a line for each attempt, each wait, and the stream. */
function largeWaterfall(call, details, pixels) {
  const span = Math.max(call.seconds, 1e-6);
  const line = (name, took, segments, ticks = []) => {
    const svg = s("svg", { class: "bar", "aria-hidden": "true" });
    for (const { kind, from, to } of segments) {
      svg.append(s("rect", {
        class: kind, x: `${(from / span) * 100}%`, width: `${Math.max(((to - from) / span) * 100, 0.4)}%`,
        y: "20%", height: "60%", rx: 2,
      }));
    }
    for (const at of ticks) svg.append(s("rect", { class: "tick", x: `${(at / span) * 100}%`, y: "20%", width: 1, height: "60%" }));
    return h("li", {}, h("span", { class: "name" }, name), svg, h("span", { class: "took" }, took));
  };
  const lines = [];
  details.attempts.forEach((attempt, index) => {
    const parts = segmentsOf({ ...call, outcome: index < details.attempts.length - 1 ? "ok" : call.outcome }, {
      attempts: details.attempts.slice(0, index + 1).concat(details.attempts[index + 1] ? [details.attempts[index + 1]] : []),
    });
    const own = parts.filter((part) => part.kind !== "wait" && part.from >= attempt.at
      && (!details.attempts[index + 1] || part.from < details.attempts[index + 1].at));
    const end = own.length ? own[own.length - 1].to : attempt.at;
    const status = attempt.head ? ` · ${attempt.head.status ?? ""}` : "";
    const label = attempt.redirect ? `Redirect ${attempt.redirect}${status}` : `Attempt ${attempt.n ?? index + 1}${status}`;
    lines.push(line(label, formatSeconds(end - attempt.at), own));
    if (attempt.wait) {
      const { at, delay } = attempt.wait;
      lines.push(line("Wait", formatSeconds(delay), [{ kind: "wait", from: at, to: at + delay }]));
    }
  });
  if (call.events) {
    const part = { kind: "answer", from: call.first ?? 0, to: (call.first ?? 0) + call.streamed };
    lines.push(line(`${formatCount(call.events)} events`, formatSeconds(call.streamed), [part], ticksOf(details, (pixels * call.streamed) / span)));
  }
  return h("div", { class: "large" }, h("ol", { "aria-label": "Course of the call" }, ...lines), axis(span, pixels));
}
