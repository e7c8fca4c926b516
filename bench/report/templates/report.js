(() => {
  "use strict";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const form = document.getElementById("filter");

  // Sorting: a click sorts ascending, a second one descending; rows without the number stay last.
  for (const head of all("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of all("th", head.parentNode)) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = head.closest("table").tBodies[0];
      const key = "data-" + head.dataset.sort;
      const read = (row) => {
        const text = row.getAttribute(key);
        return head.dataset.sort === "name" ? text : text === null ? null : Number(text);
      };
      const order = (a, b) => {
        const x = read(a), y = read(b);
        if (x === null || y === null) return (x === null) - (y === null);
        const way = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
        return down ? -way : way;
      };
      body.append(...Array.from(body.rows).sort(order));
    });
  }

  // Filtering: every word has to occur; the same rows vanish from all tables.
  if (form) {
    const text = document.getElementById("f-text");
    const outcome = document.getElementById("f-outcome");
    const winner = document.getElementById("f-winner");
    const count = document.getElementById("f-count");
    const rows = all("[data-q]");
    const details = all("details[data-q]");
    const apply = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const data = row.dataset;
        row.hidden = !(
          words.every((word) => data.q.includes(word)) &&
          (!outcome.value || data.o.split(" ").includes(outcome.value)) &&
          (!winner || !winner.value || data.w === winner.value)
        );
      }
      const shown = details.filter((row) => !row.hidden).length;
      count.textContent = shown + " of " + details.length + " shown";
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }

  // What is above a target and was never drawn has an estimated height: it is looked up again once that is known.
  const land = (target, frames) => {
    target.scrollIntoView();
    if (frames) requestAnimationFrame(() => land(target, frames - 1));
  };

  // A link to a cell opens the details that hold it, whatever is filtered.
  const reveal = () => {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch (error) { return; }
    const target = id && document.getElementById(id);
    const box = target && target.closest("details");
    if (!box) return;
    box.hidden = false;
    box.open = true;
    land(target, 3);
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) reveal();
  });
  reveal();

  // A drawing that is wider than its box is shown from its middle: its left edge is often empty.
  const centred = new WeakSet();
  document.addEventListener("toggle", (event) => {
    for (const box of all(".canvas", event.target)) {
      if (box.clientWidth && !centred.has(box)) {
        centred.add(box);
        box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
      }
    }
  }, true);

  // On paper everything is open, as long as that is readable.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    if (opened.length > 200) opened = [];
    for (const box of opened) box.open = true;
  });
  addEventListener("afterprint", () => { for (const box of opened) box.open = false; });
})();
