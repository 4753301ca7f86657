// Filters: buttons show and hide scales, a search keeps the tables that hold all of its words.

function normalised(text) {
  return text.toLocaleLowerCase("en").replace(/\s+/g, " ");
}

function chosenScales() {
  const buttons = [...document.querySelectorAll("[data-toggles]")];
  return new Map(buttons.map((button) => [button.dataset.toggles, button.getAttribute("aria-pressed") === "true"]));
}

/** Everything that belongs to one scale: sections, and the columns of the table of claims. */
function applyScales() {
  const scales = chosenScales();
  for (const part of document.querySelectorAll("[data-scale]")) part.hidden = scales.get(part.dataset.scale) === false;
}

function enableFilters() {
  const search = document.getElementById("search");
  const sections = [...document.querySelectorAll("section.table")];
  const texts = new Map(sections.map((section) => [section, normalised(section.dataset.name + " " + section.textContent)]));

  function apply() {
    applyScales();
    const words = normalised(search.value).split(" ").filter(Boolean);
    let shown = 0;
    for (const section of sections) {
      const found = words.every((word) => texts.get(section).includes(word));
      section.hidden = !found;
      shown += found;
      const link = document.querySelector(`[data-of="${CSS.escape(section.dataset.name)}"]`);
      if (link) link.hidden = !found;
      const parts = [...section.querySelectorAll("section.scale")];
      section.classList.toggle("no-scale", parts.length > 0 && parts.every((part) => part.hidden));
    }
    document.getElementById("shown").textContent = `${shown} of ${sections.length} tables`;
    fitTables();
  }

  search.addEventListener("input", apply);
  for (const button of document.querySelectorAll("[data-toggles]")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
      apply();
    });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });
  apply();
}
