(() => {
  "use strict";
  const panes = [...document.querySelectorAll(".pane")];
  if (!panes.length) return;
  const tools = document.querySelector(".zoom");
  const told = tools.querySelector("output");
  const together = tools.querySelector("input");
  const pictures = panes.map((pane) => pane.querySelector("svg"));
  const sizes = pictures.map((svg) => [svg.width.baseVal.value, svg.height.baseVal.value]);
  let scale = 1;
  const show = (value) => {
    // What is in the middle stays there.
    const middles = panes.map((p) => [(p.scrollLeft + p.clientWidth / 2) / scale, (p.scrollTop + p.clientHeight / 2) / scale]);
    scale = Math.min(4, Math.max(0.02, value));
    pictures.forEach((svg, n) => {
      svg.setAttribute("width", sizes[n][0] * scale);
      svg.setAttribute("height", sizes[n][1] * scale);
      panes[n].scrollTo(middles[n][0] * scale - panes[n].clientWidth / 2, middles[n][1] * scale - panes[n].clientHeight / 2);
    });
    told.textContent = `${Math.round(scale * 100)}%`;
  };
  const fit = () => Math.min(...panes.map((p, n) => p.clientWidth / sizes[n][0]), 1);
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const by = event.target.dataset && event.target.dataset.zoom;
    if (by) show(by === "fit" ? fit() : scale * Number(by));
  });
  for (const pane of panes) {
    pane.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      show(scale * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
    }, { passive: false });
  }
  // The graphs differ in length: the share of the way is what they move by together.
  let leader = null;
  panes.forEach((pane, n) => {
    const lead = () => { leader = pane; };
    for (const name of ["pointerenter", "focus", "touchstart", "wheel"]) pane.addEventListener(name, lead, { passive: true });
    pane.addEventListener("scroll", () => {
      if (!together.checked || leader !== pane || panes.length < 2) return;
      const other = panes[1 - n];
      const way = (side, room) => pane[side] / Math.max(1, pane["scroll" + room] - pane["client" + room]);
      other.scrollTop = way("scrollTop", "Height") * (other.scrollHeight - other.clientHeight);
      other.scrollLeft = way("scrollLeft", "Width") * (other.scrollWidth - other.clientWidth);
    }, { passive: true });
  });
  const find = (side, key) => document.getElementById(`${side}-node-name-${key}`);
  let found = null;
  const go = (row) => {
    const node = find(row.dataset.side, row.dataset.node);
    if (!node) return;
    if (found) found.classList.remove("found");
    found = node;
    node.classList.add("found");
    leader = null;
    const pane = node.closest(".pane");
    if (scale < 0.6) show(0.8);
    const box = node.getBoundingClientRect(), frame = pane.getBoundingClientRect();
    pane.scrollBy(box.left + box.width / 2 - frame.left - frame.width / 2, box.top + box.height / 2 - frame.top - frame.height / 2);
    document.getElementById("pictures").scrollIntoView({ block: "start" });
  };
  for (const row of document.querySelectorAll("tr[data-node]")) {
    if (!find(row.dataset.side, row.dataset.node)) continue;
    row.classList.add("linked");
    row.tabIndex = 0;
    row.addEventListener("click", () => go(row));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") go(row); });
  }
  show(Math.max(fit(), 0.5));
  // A graph is read from its first input.
  panes.forEach((pane, n) => {
    const start = pictures[n].querySelector(".graph-item-input") || pictures[n].querySelector(".node");
    if (!start) return;
    const box = start.getBoundingClientRect(), frame = pane.getBoundingClientRect();
    pane.scrollBy(box.left + box.width / 2 - frame.left - frame.width / 2, box.top - frame.top - 30);
  });
})();
