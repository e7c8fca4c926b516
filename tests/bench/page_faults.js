(() => {
  const found = [], told = new Set();
  const say = text => { if (!told.has(text) && told.size < 60) { told.add(text); found.push(text); } };
  const name = e => `${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}.${String(e.className.baseVal ?? e.className).replaceAll(" ", ".")}`;
  const visible = e => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !e.closest(".sr,.skip") && !clipped(e);
  const seen = new Map();
  const clipped = e => { if (!e) return false; if (!seen.has(e)) seen.set(e, getComputedStyle(e).clipPath.startsWith("inset(50%") || clipped(e.parentElement)); return seen.get(e); };
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide + 1)
    say(`the page is ${document.documentElement.scrollWidth} px wide, the window ${wide}`);

  // Links that lead nowhere.
  for (const a of document.querySelectorAll('a[href^="#"]'))
    { const to = decodeURIComponent(a.getAttribute("href").slice(1)); if (to && !document.getElementById(to)) say(`no #${to}`); }
  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) { if (ids.has(e.id)) say(`two elements are called ${e.id}`); ids.add(e.id); }

  // Headings that skip a level.
  let level = 0;
  for (const h of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
    if (!visible(h)) continue;
    const own = Number(h.tagName[1]);
    if (own > level + 1) say(`h${own} after h${level}: ${h.textContent.trim().slice(0, 40)}`);
    level = own;
  }

  // What of a text is seen: a box that scrolls is a window on it.
  const holes = new Map();
  const window_of = e => {
    if (!e || e === document.body) return null;
    if (!holes.has(e)) holes.set(e, getComputedStyle(e).overflowY !== "visible" || getComputedStyle(e).overflowX !== "visible" ? e.getBoundingClientRect() : window_of(e.parentElement));
    return holes.get(e);
  };

  // Text that runs out of its box, or over another text beside it.
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const own = node.parentElement;
    if (!node.data.trim() || !own || ["SCRIPT", "STYLE", "TITLE"].includes(own.tagName) || !visible(own)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const hole = window_of(own);
    for (const whole of range.getClientRects()) {
      const box = hole ? { left: Math.max(whole.left, hole.left), right: Math.min(whole.right, hole.right), top: Math.max(whole.top, hole.top), bottom: Math.min(whole.bottom, hole.bottom) } : whole;
      if (box.right - box.left > 1 && box.bottom - box.top > 1) texts.push({ box, own, text: node.data.trim() });
    }
  }
  for (const { box, own, text } of texts) {
    if (!own.closest(".scroll,pre,.jump,.why") && (box.right > wide + 1 || box.left < -1)) say(`${name(own)} runs out of the window: ${text.slice(0, 50)}`);
    const cell = own.closest("td,th");
    if (cell && box.right > cell.getBoundingClientRect().right + 2) say(`${name(own)} runs out of its cell: ${text.slice(0, 50)}`);
    const cut = own.closest("a,td,th,dd,dt,span,div");
    const style = cut && getComputedStyle(cut);
    if (cut && style.overflowX === "hidden" && cut.scrollWidth > cut.clientWidth + 1 && style.textOverflow !== "ellipsis") say(`${name(cut)} cuts ${text.slice(0, 50)}`);
  }
  const rows = new Map();
  for (const one of texts) for (let y = Math.floor((one.box.top + scrollY) / 40); y <= Math.floor((one.box.bottom + scrollY) / 40); y++) {
    if (!rows.has(y)) rows.set(y, []);
    rows.get(y).push(one);
  }
  for (const near of rows.values()) for (let i = 0; i < near.length && told.size < 60; i++) for (let j = i + 1; j < near.length; j++) {
    const a = near[i], b = near[j];
    if (a.own.contains(b.own) || b.own.contains(a.own) || a.own.closest("svg") || b.own.closest("svg")) continue;
    const w = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
    const h = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
    if (w > 3 && h > 5) say(`${name(a.own)} "${a.text.slice(0, 30)}" lies over ${name(b.own)} "${b.text.slice(0, 30)}"`);
  }

  // Contrast below 4.5 (3 for large text), https://www.w3.org/TR/WCAG22/#contrast-minimum
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const shine = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0.9) return c; } return rgb(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme:dark)").matches ? "#131518" : "#fff"); };
  const known = new Map();
  for (const { own, text } of texts) {
    if (own.closest("svg")) continue;
    const style = getComputedStyle(own), back = behind(own), key = style.color + back;
    if (!known.has(key)) { const a = shine(rgb(style.color).slice(0, 3)), b = shine(back.slice(0, 3)); known.set(key, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)); }
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (known.get(key) < (large ? 3 : 4.5)) say(`contrast ${known.get(key).toFixed(2)} of ${name(own)}: ${text.slice(0, 40)}`);
  }
  return found;
})()
