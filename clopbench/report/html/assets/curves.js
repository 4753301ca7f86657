// Curves: a small line chart as inline SVG.
// lines: [{ cell, label, colour, dash, x: [number], y: [number, or null for a gap] }]

const FRAME = { height: 300, left: 62, right: 14, top: 12, bottom: 44 };

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** About `count` round values from low to high: steps of 1, 2 or 5 times a power of ten. */
function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function tickLabel(value) {
  const short = Number(value.toPrecision(6));
  const text = Math.abs(short) >= 1e5 || (short !== 0 && Math.abs(short) < 1e-3) ? short.toExponential() : String(short);
  return text.replace("-", "−");
}

/** Smallest and largest of the values that are numbers, never equal. */
function range(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low === high) return [low - (Math.abs(low) || 1) * 0.05, high + (Math.abs(high) || 1) * 0.05];
  return [low, high];
}

/** An SVG path through the points, broken where y is null. */
function pathThrough(line, toX, toY) {
  let pen = "M";
  let path = "";
  line.y.forEach((y, i) => {
    if (y === null) {
      pen = "M";
      return;
    }
    // A line of no length, so that a point between two gaps is drawn as a dot.
    path += `${pen}${toX(line.x[i]).toFixed(1)} ${toY(y).toFixed(1)}${pen === "M" ? "h0" : ""}`;
    pen = "L";
  });
  return path;
}

/** The point of all lines that is nearest to a place on the screen. */
function nearestPoint(lines, toX, toY, left, top) {
  let best = null;
  for (const line of lines) {
    line.y.forEach((y, i) => {
      if (y === null) return;
      const distance = (toX(line.x[i]) - left) ** 2 + (toY(y) - top) ** 2;
      if (!best || distance < best.distance) best = { line, x: line.x[i], y, distance };
    });
  }
  return best;
}

/** As wide as the panel will be, so that letters keep their size on a small screen. */
function frame() {
  return { ...FRAME, width: Math.max(280, Math.min(860, innerWidth - 70)) };
}

function drawnLine(path, { colour, dash }, attributes = {}) {
  const made = svg("path", { class: "curve", d: path, ...attributes });
  made.style.stroke = colour;
  made.style.strokeDasharray = dash;
  return made;
}

function axes(size, xs, ys, toX, toY, titles) {
  const { width, height, left, right, top, bottom } = size;
  const parts = [];
  for (const y of ticks(...ys, 5)) {
    parts.push(svg("line", { class: "gridline", x1: left, x2: width - right, y1: toY(y), y2: toY(y) }));
    parts.push(svg("text", { x: left - 7, y: toY(y) + 4, "text-anchor": "end" }, tickLabel(y)));
  }
  for (const x of ticks(...xs, width / 80)) {
    parts.push(svg("text", { x: toX(x), y: height - bottom + 18, "text-anchor": "middle" }, tickLabel(x)));
  }
  parts.push(svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  const middle = (left + width - right) / 2;
  parts.push(svg("text", { class: "title", x: middle, y: height - 6, "text-anchor": "middle" }, titles.x));
  const centre = (top + height - bottom) / 2;
  const turn = { transform: `translate(13 ${centre}) rotate(-90)`, "text-anchor": "middle", class: "title" };
  parts.push(svg("text", turn, titles.y));
  return parts;
}

/** The chart, and a line of text beside it that says what is under the pointer. */
function chart(lines, titles) {
  const size = frame();
  const { width, height, left, right, top, bottom } = size;
  const xs = range(lines.flatMap((line) => line.x));
  const ys = range(lines.flatMap((line) => line.y));
  const toX = (x) => left + ((x - xs[0]) / (xs[1] - xs[0])) * (width - left - right);
  const toY = (y) => height - bottom - ((y - ys[0]) / (ys[1] - ys[0])) * (height - top - bottom);
  const drawn = lines.map((line) => drawnLine(pathThrough(line, toX, toY), line, { "data-cell": line.cell }));
  const marker = svg("circle", { class: "marker", r: 4, visibility: "hidden" });
  const label = `${titles.y} by ${titles.x}, ${lines.length} cells, from ${tickLabel(ys[0])} to ${tickLabel(ys[1])}`;
  const picture = svg(
    "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart" },
    ...axes(size, xs, ys, toX, toY, titles), ...drawn, marker,
  );
  const readout = document.createElement("p");
  readout.className = "readout";
  const still = `${lines.length} ${lines.length === 1 ? "cell" : "cells"}; point at a curve to read it`;
  readout.textContent = still;

  function rest() {
    marker.setAttribute("visibility", "hidden");
    readout.textContent = still;
    for (const path of drawn) path.classList.remove("near");
  }
  picture.addEventListener("pointerleave", rest);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const scale = width / box.width;
    const found = nearestPoint(lines, toX, toY, (event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
    if (!found) return;
    marker.setAttribute("cx", toX(found.x));
    marker.setAttribute("cy", toY(found.y));
    marker.setAttribute("visibility", "visible");
    drawn.forEach((path, i) => path.classList.toggle("near", lines[i] === found.line));
    readout.textContent = `${found.line.label}: ${titles.y} ${tickLabel(found.y)} at ${titles.x} ${tickLabel(found.x)}`;
  });
  return [picture, readout];
}
