async () => {
  // Runs in Netron's page: waits until the graph is drawn and returns Netron's own SVG of it, with
  // the rules of its style sheet beside it instead of copied into every element.
  const says = (name) => document.body && document.body.classList.contains(name);
  for (;;) {
    if (says("alert") || (says("message") && !says("spinner"))) {
      return { error: document.getElementById("message-text").innerText };
    }
    if (window.__view__ && window.__view__.activeTarget && says("default")) {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const view = window.__view__;
  const canvas = document.getElementById("canvas");
  for (const text of canvas.querySelectorAll("text")) {
    // Few fonts have these two brackets.
    for (const part of text.querySelectorAll("tspan").length ? text.querySelectorAll("tspan") : [text]) {
      if (part.childElementCount === 0 && /[\u3008\u3009]/.test(part.textContent)) {
        part.textContent = part.textContent.replaceAll("\u3008", "\u2039").replaceAll("\u3009", "\u203a");
      }
    }
  }
  // Boxes were sized for this browser's fonts; another reader's text has to keep to them.
  const texts = [...canvas.querySelectorAll("text")].filter((text) => text.textContent);
  const widths = texts.map((text) => text.getComputedTextLength());
  texts.forEach((text, number) => {
    if (widths[number] > 0) {
      text.setAttribute("textLength", widths[number].toFixed(1));
      text.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  });
  const rules = { light: [], dark: [] };
  const collect = (list, into) => {
    for (const rule of list) {
      if (rule instanceof CSSStyleRule) {
        into.push([rule.selectorText, rule.style.cssText]);
      } else if (rule instanceof CSSMediaRule && rule.conditionText.includes("dark")) {
        collect(rule.cssRules, rules.dark);
      }
    }
  };
  for (const sheet of document.styleSheets) {
    if (sheet.href && sheet.href.endsWith("/grapher.css")) {
      collect(sheet.cssRules, rules.light);
    }
  }
  let picture = null;
  view.host.export = async (file, blob) => {
    picture = blob;
  };
  Object.defineProperty(document, "styleSheets", { configurable: true, get: () => [] });
  await view.export("graph.svg");
  delete document.styleSheets;
  return picture ? { svg: await picture.text(), rules } : { error: "Netron gave no picture" };
}
