// Fitting: a table that is wider than the page stands as blocks, one for each row, so that nothing is cut off.

/** Each entry bears the heading of its column, for when it stands below the others. */
function labelEntries(table) {
  const titles = [...table.tHead.rows[0].cells].map((heading) => heading.textContent.trim());
  for (const body of table.tBodies) {
    for (const row of body.rows) {
      [...row.cells].forEach((entry, column) => {
        if (entry.colSpan === 1) entry.dataset.label = titles[column] ?? "";
      });
    }
  }
}

/** All tables in a part of the page; those that are folded or hidden have no width, and wait. */
function fitTables(part = document) {
  const frames = [...part.querySelectorAll(".scroll")];
  for (const frame of frames) frame.classList.remove("stacked");
  const wide = frames.filter((frame) => frame.scrollWidth > frame.clientWidth);
  for (const frame of wide) {
    labelEntries(frame.querySelector("table"));
    frame.classList.add("stacked");
  }
}

function enableFitting() {
  let asked = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => fitTables());
  });
  document.addEventListener("toggle", (event) => fitTables(event.target), true);
  fitTables();
}
