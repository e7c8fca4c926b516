// Loaded by Netron's page before Netron: says yes to its only question, so that it asks nobody where it is, and
// attaches our numbers once the graph is drawn and colours the nodes that differ from the graph beside it. The body then
// carries data-attached and data-marked, which tests wait for. Graphs side by side move together: a frame tells the
// others which nodes are in its middle, and each brings the nearest one that it has to the same place.
const readable = (canvas) => {
  // Netron puts shapes between two brackets that few fonts have.
  const replace = () => {
    const walker = document.createTreeWalker(canvas, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode;
      if (/[\u3008\u3009]/.test(text.data)) {
        text.data = text.data.replaceAll("\u3008", "\u2039").replaceAll("\u3009", "\u203a");
      }
    }
  };
  replace();
  new MutationObserver(replace).observe(canvas, { childList: true, subtree: true });
};
const mark = (nodes) => {
  const style = document.createElement("style");
  style.textContent =
    ".differs .node-item-type > path{fill:var(--fill)!important}" +
    ".differs .node-item-type > text{fill:var(--ink)!important}" +
    ".differs:not(.select) > path{stroke:var(--fill);stroke-width:2px}";
  document.head.append(style);
  const colour = () => {
    let number = 0;
    for (const [name, { fill, ink, note }] of Object.entries(nodes)) {
      const group = document.getElementById(`node-name-${name}`);
      if (!group) {
        continue;
      }
      number += 1;
      group.classList.add("differs");
      group.style.setProperty("--fill", fill);
      group.style.setProperty("--ink", ink);
      const header = group.querySelector(".node-item-type");
      if (header) {
        header.querySelectorAll(":scope > title").forEach((old) => old.remove());
        const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
        title.textContent = `${name}\n${note}`;
        header.prepend(title);
      }
    }
    document.body.dataset.marked = String(number);
  };
  colour();
  // Netron draws anew when a person changes what it shows.
  new MutationObserver(colour).observe(document.getElementById("target"), { childList: true });
};
const together = () => {
  const container = document.getElementById("target");
  const NEAREST = 24;
  let places = null; // nodes of the drawing, at zoom 1
  let own = null; // where this frame was moved to by another one
  let asked = false;
  // The drawing; its zoom is not among what Netron promises, so a version without it only scrolls.
  const drawing = () => {
    const found = window.__view__._target;
    return found && found.zoom > 0 ? found : { zoom: 1 };
  };
  const canvas = () => document.getElementById("canvas").getBoundingClientRect();
  const drawn = () => {
    if (!places) {
      const zoom = drawing().zoom;
      const { x, y } = canvas();
      places = Array.from(document.querySelectorAll("#nodes > g[id]"), (group) => {
        const box = group.getBoundingClientRect();
        const middle = [(box.x + box.width / 2 - x) / zoom, (box.y + box.height / 2 - y) / zoom];
        return [group.id, ...middle];
      });
    }
    return places;
  };
  const middle = () => {
    const box = container.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const tell = () => {
    asked = false;
    const zoom = drawing().zoom;
    if (own && zoom === own.zoom && Math.abs(container.scrollLeft - own.left) < 2 &&
        Math.abs(container.scrollTop - own.top) < 2) {
      return;
    }
    own = null;
    const [left, top] = middle();
    const { x, y } = canvas();
    const nodes = drawn()
      .map(([id, nodeX, nodeY]) => [id, x + zoom * nodeX - left, y + zoom * nodeY - top])
      .sort((a, b) => Math.hypot(a[1], a[2]) - Math.hypot(b[1], b[2]))
      .slice(0, NEAREST);
    for (let place = 0; place < parent.frames.length; place++) {
      if (parent.frames[place] !== window) {
        parent.frames[place].postMessage({ moved: { zoom, nodes } }, location.origin);
      }
    }
  };
  const ask = () => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(tell);
    }
  };
  addEventListener("message", (event) => {
    if (event.origin !== location.origin || !event.data || !event.data.moved) {
      return;
    }
    const target = drawing();
    const { zoom, nodes } = event.data.moved;
    const known = drawn();
    target.zoom = zoom;
    for (const [id, offsetX, offsetY] of nodes) {
      const node = known.find((one) => one[0] === id);
      if (node) {
        const [left, top] = middle();
        const { x, y } = canvas();
        container.scrollLeft += x + target.zoom * node[1] - left - offsetX;
        container.scrollTop += y + target.zoom * node[2] - top - offsetY;
        break;
      }
    }
    own = { left: container.scrollLeft, top: container.scrollTop, zoom: target.zoom };
  });
  container.addEventListener("scroll", ask);
  container.addEventListener("wheel", ask);
  addEventListener("keyup", ask);
  new MutationObserver(() => { places = null; }).observe(container, { childList: true });
  document.body.dataset.together = "yes";
};
document.cookie = "consent=1; SameSite=Strict";
addEventListener("DOMContentLoaded", async () => {
  const told = (name) => {
    const meta = document.querySelector(`meta[name="${name}"]`);
    return meta ? meta.content : "";
  };
  const home = document.createElement("a");
  home.href = "../index.html";
  home.target = "_top";
  home.textContent = "← all graphs";
  home.setAttribute(
    "style",
    "position:absolute;top:12px;left:48px;z-index:2;font:13px system-ui,sans-serif;color:#888;text-decoration:none",
  );
  if (window.top === window) {
    document.body.append(home);
  }
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  const says = (name) => document.body.classList.contains(name);
  while (!(window.__view__ && window.__view__.activeTarget && says("default"))) {
    if (says("alert")) {
      return;
    }
    await pause();
  }
  readable(document.getElementById("canvas"));
  if (window.parent !== window) {
    together();
  }
  const marks = told("marks");
  if (marks) {
    const answer = await fetch(marks);
    if (answer.ok) {
      mark(await answer.json());
    }
  }
  const attachment = told("attachment");
  if (!attachment) {
    return;
  }
  const answer = await fetch(attachment);
  if (!answer.ok) {
    return;
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const base = await import("./base.js");
  const stream = new base.BinaryStream(bytes);
  const attached = await window.__view__.attach({ identifier: "numbers.json", stream });
  document.body.dataset.attached = attached ? "yes" : "no";
});
