// Start: the page is complete when a module runs.

for (const table of document.querySelectorAll("table.sortable")) enableSorting(table);
enableFilters();
enableFitting();
enableCells();
// On a small screen the contents start folded.
if (matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
