// h("p", {class: "x", onclick: fn}, "text", child) makes an element; null and false are left out.
export function h(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (value === true) e.setAttribute(key, "");
    else e.setAttribute(key, value);
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}
// Writes only what differs: the browser then has nothing to lay out again.
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}
export function setClass(e, name) {
  if (e.className !== name) e.className = name;
}

const SVG = "http://www.w3.org/2000/svg";
// A line over equally spaced values from 0 to `top` (default: the largest); null is a gap, a lonely value a dot.
export function drawSpark(svg, values, top, label) {
  const W = 100, H = 24, max = top ?? Math.max(1, ...values.filter((v) => v !== null));
  const step = values.length > 1 ? W / (values.length - 1) : 0;
  let d = "", pen = false;
  values.forEach((v, i) => {
    if (v === null || v === undefined) { pen = false; return; }
    const x = (values.length > 1 ? i * step : W).toFixed(1), y = (H - 1 - (v / max) * (H - 2)).toFixed(1);
    const alone = !pen && (values[i + 1] === null || values[i + 1] === undefined);
    d += alone ? `M${x} ${y}h0.01` : `${pen ? "L" : "M"}${x} ${y}`;
    pen = true;
  });
  if (svg.dataset.d === d && svg.getAttribute("aria-label") === label) return;
  svg.dataset.d = d;
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const base = document.createElementNS(SVG, "path"), line = document.createElementNS(SVG, "path");
  base.setAttribute("class", "base");
  base.setAttribute("d", `M0 ${H}H${W}`);
  line.setAttribute("d", d);
  svg.replaceChildren(base, line);
}
export function spark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  return svg;
}
