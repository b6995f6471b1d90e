// Elements and formats. Texts of a trace become text nodes only, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: attributes by name, listeners as `onclick`, children as nodes or texts. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make an element of SVG. */
function s(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

const find = (id) => document.getElementById(id);

function formatSeconds(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds >= 3600) return `${formatCount(Math.floor(seconds / 3600))} h ${Math.round((seconds % 3600) / 60)} min`;
  if (seconds >= 99.95) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds >= 0.9995) return `${seconds.toFixed(seconds >= 9.995 ? 1 : 2)} s`;
  const milliseconds = seconds * 1000;
  if (milliseconds === 0) return "0 ms";
  return `${milliseconds.toFixed(milliseconds >= 9.95 ? 0 : milliseconds >= 0.995 ? 1 : 2)} ms`;
}

const pad = (number, width = 2) => String(number).padStart(width, "0");

function formatTime(unix) {
  const date = new Date(unix * 1000);
  if (Number.isNaN(date.getTime())) return "–";
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part)).join(":");
  return `${clock}.${pad(date.getMilliseconds(), 3)}`;
}

function formatDate(unix) {
  const date = new Date(unix * 1000);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().replace("T", " ");
}

function formatBytes(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

const formatCount = (number) => number.toLocaleString("en-US");

/** A text that is JSON with line breaks and indentation; any other text as it is. */
function prettify(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}
