// Sorting: a click on a heading sorts its column, a second click turns it round, a third restores the order.

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** What stands in the nth column of a row: its number where it has one, and its text. */
function sortKey(unit, column) {
  const row = unit.rows ? unit.rows[0] : unit;
  const entry = row.cells[column];
  const { value } = entry.dataset;
  const text = entry.textContent.trim();
  return { number: value === undefined ? null : Number(value), text, missing: /^(–|not (run|known)|no value)/.test(text) };
}

/** Numbers by size and before texts; texts as people sort them. */
function compareKeys(a, b) {
  if (a.number !== null && b.number !== null) return a.number - b.number;
  if (a.number !== null || b.number !== null) return a.number !== null ? -1 : 1;
  return collator.compare(a.text, b.text);
}

/** Sort the rows of a table (or, in a table "by-body", its bodies); what is missing stays last. */
function sortBy(table, column, direction) {
  const parent = table.classList.contains("by-body") ? table : table.tBodies[0];
  const units = [...(parent === table ? table.tBodies : parent.rows)];
  for (const [place, unit] of units.entries()) unit.dataset.place ??= place;
  const keyed = units.map((unit) => ({ unit, key: sortKey(unit, column), place: Number(unit.dataset.place) }));
  const sign = direction === "descending" ? -1 : 1;
  keyed.sort((a, b) => {
    if (direction === "none") return a.place - b.place;
    if (a.key.missing !== b.key.missing) return a.key.missing ? 1 : -1;
    return sign * compareKeys(a.key, b.key) || a.place - b.place;
  });
  parent.append(...keyed.map(({ unit }) => unit));
}

function enableSorting(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button")?.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")] ?? "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      if (next !== "none") heading.setAttribute("aria-sort", next);
      sortBy(table, column, next);
    });
  });
}
