// Cells: a click on a number opens what is behind it. The data are those of cells.py.

let data;
let unpacking;

/** Unpack the data within this file, once, when something is opened for the first time. */
function unpacked() {
  unpacking ??= (async () => {
    const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (sign) => sign.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    data = JSON.parse(await new Response(stream).text());
  })();
  return unpacking;
}

const COLOURS = 8;
const FIRST_CURVE = ["loss_total", "singular values"];
let lastCurve = FIRST_CURVE[0];

/** An element; attributes that are undefined are left out, a function is a listener for clicks. */
function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener("click", value);
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A cell with the shared values that it points to. */
function readCell([id, label]) {
  const cell = data.cells[id];
  const [names, values] = cell.metrics;
  const [titles, ...curves] = cell.curves;
  return {
    ...cell, id, label,
    config: data.arms[cell.arm],
    metrics: Object.fromEntries(data.names[names].map((name, i) => [name, values[i]])),
    pairing: data.pairings[cell.pairing],
    origin: data.origins[cell.origin],
    code: data.code[cell.origin],
    curves: new Map(data.names[titles].map((title, i) => [title, curves[i].map((at) => data.series[at])])),
  };
}

function fieldText(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return tickLabel(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function metricText(value, format) {
  if (value === null || value === undefined) return "–";
  return (format === "percent" ? value * 100 : value).toFixed(2).replace("-", "−");
}

/** Names and values, one below the other. */
function fields(title, values) {
  const entries = Object.entries(values);
  if (!entries.length) return undefined;
  const list = make("dl", {});
  for (const [name, value] of entries) {
    list.append(make("div", {}, make("dt", {}, name), make("dd", {}, fieldText(value))));
  }
  return make("section", { class: "fields" }, make("h4", {}, title), list);
}

function statusChip(status) {
  return make("span", { class: `chip ${status}` }, status);
}

/** Label → colour and dashes, which tell points apart; when all colours are used, dashes begin. */
function strokes(cells) {
  const labels = [...new Set(cells.map((cell) => cell.label))];
  const dashes = ["none", "7 3", "2 4", "9 3 2 3"];
  const stroke = (i) => ({ colour: `var(--c${i % COLOURS})`, dash: dashes[Math.floor(i / COLOURS) % dashes.length] });
  return new Map(labels.map((label, i) => [label, stroke(i)]));
}

function curveSection(cells) {
  const titles = [...new Set(cells.flatMap((cell) => [...cell.curves.keys()]))];
  if (!titles.length) return undefined;
  const byLabel = strokes(cells);
  const place = make("div", { class: "place" });
  const select = make("select", { id: "curve" }, ...titles.map((title) => make("option", {}, title)));
  const draw = () => {
    const lines = cells.flatMap((cell) => {
      const [x, y] = cell.curves.get(select.value) ?? [[], []];
      const label = byLabel.size > 1 ? `${cell.label}, seed ${cell.seed}` : `seed ${cell.seed}`;
      return y.some((value) => value !== null) ? [{ cell: cell.id, label, ...byLabel.get(cell.label), x, y }] : [];
    });
    const x = select.value === "singular values" ? "position" : "epoch";
    place.replaceChildren(...(lines.length ? chart(lines, { x, y: select.value }) : ["no values"]));
  };
  select.value = [lastCurve, ...FIRST_CURVE, titles[0]].find((title) => titles.includes(title));
  select.addEventListener("change", () => {
    lastCurve = select.value;
    draw();
  });
  draw();
  const legend = byLabel.size > 1 ? make("ul", { class: "legend" }) : undefined;
  for (const [label, stroke] of byLabel) {
    const sample = svg("svg", { class: "swatch", viewBox: "0 0 26 10", "aria-hidden": "true" }, drawnLine("M1 5H25", stroke));
    legend?.append(make("li", {}, sample, label));
  }
  return make("section", { class: "curves" }, make("label", { for: "curve" }, "Curve "), select, place, legend);
}

/** Two rows: the cell at a glance, and, folded, all about it. */
function cellBody(cell, group, withLabel) {
  const columns = 5 + group.metrics.length + withLabel;
  const detail = make("tr", { class: "detail", hidden: "" }, make("td", { colspan: columns }));
  const toggle = make("button", {
    type: "button", class: "toggle-cell", "aria-expanded": "false",
    click() {
      detail.hidden = !detail.hidden;
      toggle.setAttribute("aria-expanded", !detail.hidden);
      if (!detail.firstChild.hasChildNodes()) {
        detail.firstChild.append(make("div", { class: "details" },
          fields("Why", Object.fromEntries(cell.notes.map((note) => [cell.status, note]))),
          fields("Metrics", cell.metrics),
          fields("Pairing hashes (SHA-256)", cell.pairing),
          fields("Engine", engine ?? {}), fields("Provenance", { ...shared, ...cell.run })));
      }
    },
  }, cell.id);
  const numbers = group.metrics.map(([metric, , format]) => {
    const value = cell.metrics[metric];
    return make("td", { class: "metric", "data-value": value ?? undefined }, metricText(value, format));
  });
  const { engine, ...shared } = cell.origin;
  const row = make("tr", {},
    withLabel ? make("td", {}, cell.label) : undefined,
    make("td", { "data-value": cell.seed }, String(cell.seed)),
    make("td", {}, toggle),
    make("td", {}, statusChip(cell.status)),
    ...numbers,
    make("td", {}, cell.code),
    make("td", {}, fieldText(cell.origin.device)));
  const body = make("tbody", { class: cell.status }, row, detail);
  const mark = (near) => () => {
    document.querySelector(`#cells path[data-cell="${cell.id}"]`)?.classList.toggle("near", near);
  };
  for (const [event, near] of [["pointerenter", true], ["focusin", true], ["pointerleave", false], ["focusout", false]]) {
    body.addEventListener(event, mark(near));
  }
  return body;
}

function cellTable(cells, group) {
  const withLabel = new Set(cells.map((cell) => cell.label)).size > 1;
  const units = group.metrics.map(([, title, format]) => (format === "percent" ? `${title}, %` : title));
  const head = [...(withLabel ? ["point"] : []), "seed", "cell", "status", ...units, "code", "hardware"];
  const headings = head.map((text) => make("th", { scope: "col" }, make("button", { type: "button", class: "sort" }, text)));
  const table = make("table", { class: "sortable by-body" },
    make("thead", {}, make("tr", {}, ...headings)), ...cells.map((cell) => cellBody(cell, group, withLabel)));
  enableSorting(table);
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Cells" }, table);
}

/** The configuration: of several points first what differs, then what they share. */
function configuration(cells) {
  const byLabel = new Map(cells.map((cell) => [cell.label, cell.config]));
  const configs = [...byLabel.values()];
  const names = [...new Set(configs.flatMap((config) => Object.keys(config)))];
  const differs = (name) => new Set(configs.map((config) => JSON.stringify(config[name]))).size > 1;
  const shared = Object.fromEntries(names.filter((name) => !differs(name)).map((name) => [name, configs[0][name]]));
  const parts = [];
  if (configs.length > 1) {
    const varied = names.filter(differs);
    const head = ["point", ...varied].map((name) => make("th", { scope: "col" }, name));
    const rows = [...byLabel].map(([label, config]) =>
      make("tr", {}, make("th", { scope: "row" }, label), ...varied.map((name) => make("td", {}, fieldText(config[name])))));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
    parts.push(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "What differs" }, table));
  }
  return make("details", { open: "" }, make("summary", {}, "Configuration"),
    ...parts, fields(configs.length > 1 ? "Shared by all points" : "All seeds", shared));
}

function endings(cells) {
  const counts = new Map();
  for (const cell of cells) counts.set(cell.status, (counts.get(cell.status) ?? 0) + 1);
  return make("p", { class: "endings" }, `${cells.length} ${cells.length === 1 ? "cell" : "cells"}: `,
    ...[...counts].flatMap(([status, count]) => [`${count} `, statusChip(status), " "]));
}

function enableCells() {
  const dialog = document.getElementById("cells");
  const keys = new Set([...document.querySelectorAll("[data-opens]")].map((button) => button.dataset.opens));
  const wanted = () => decodeURIComponent(location.hash.slice(1));

  async function open(key) {
    await unpacked();
    if (wanted() !== key) return;
    const group = data.groups[key];
    const cells = group.cells.map(readCell);
    dialog.replaceChildren(
      make("div", { class: "dialog-head" },
        make("div", {}, make("h2", { id: "cells-title" }, group.title), make("p", {}, group.where)),
        make("button", { type: "button", class: "close", "aria-label": "Close", click: () => dialog.close() }, "×")),
      make("div", { class: "dialog-body" },
        endings(cells), curveSection(cells) ?? "", cellTable(cells, group), configuration(cells)));
    if (!dialog.open) dialog.showModal();
    fitTables(dialog);
    dialog.querySelector(".dialog-body").scrollTop = 0;
  }

  /** The address says what is open, so that it can be shared and the back button closes it. */
  function follow() {
    const key = wanted();
    if (keys.has(key)) open(key);
    else if (dialog.open) dialog.close();
  }

  document.addEventListener("click", (event) => {
    const key = event.target.closest("[data-opens]")?.dataset.opens;
    if (key !== undefined) location.hash = encodeURIComponent(key);
    else if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    if (keys.has(wanted())) history.replaceState(null, "", "#");
  });
  addEventListener("hashchange", follow);
  follow();
}
