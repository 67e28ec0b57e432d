"use strict";
(() => {
const byId = (id) => document.getElementById(id);
document.documentElement.classList.add("scripted");
const source = document.body.dataset.events;

/* Sweeps that are chosen stay so while the list changes; the button needs two. */
const chosen = new Set();
const showChosen = () => {
  if (!byId("compare")) return;
  for (const box of document.querySelectorAll("input[name=of]")) box.checked = chosen.has(box.value);
  const count = document.querySelectorAll("input[name=of]:checked").length;
  byId("compare").disabled = count < 2;
  byId("table").textContent = count ? "Table of their runs" : "Table of all runs";
};
document.addEventListener("change", (event) => {
  if (event.target.name !== "of" || event.target.type !== "checkbox") return;
  if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
  showChosen();
});

/* Learning curves of one figure; a choice of the reader's stays. */
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const FIRST = ["val_accuracy", "accuracy", "val_loss", "loss"];
let curves = byId("data") ? JSON.parse(byId("data").textContent).curves : [];
const colour = (name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};
const drawCurves = () => {
  const section = byId("curves-section");
  if (!section || !window.Plotly) return;
  const known = [...new Set(curves.flatMap((curve) => Object.keys(curve.figures)))];
  const names = [...FIRST.filter((name) => known.includes(name)), ...known.filter((name) => !FIRST.includes(name))];
  section.hidden = !names.length;
  if (!names.length) return;
  const select = byId("figure");
  const figure = names.includes(select.value) ? select.value : names[0];
  if (names.join() !== [...select.options].map((option) => option.value).join()) {
    select.replaceChildren(...names.map((name) => new Option(name.replace("val_", "validation "), name)));
  }
  select.value = figure;
  const isLive = curves.some((curve) => curve.running);
  const isSolid = (curve) => curve.running || !isLive;
  const percent = figure.endsWith("accuracy");
  const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const traces = curves.filter((curve) => curve.figures[figure]).map((curve, place) => ({
    x: curve.figures[figure].map(([epoch]) => epoch),
    y: curve.figures[figure].map(([, value]) => (percent && value !== null ? 100 * value : value)),
    name: escape(curve.name), mode: "lines+markers",
    line: { width: isSolid(curve) ? 2.5 : 1.3, color: COLOURS[place % COLOURS.length], dash: isSolid(curve) ? "solid" : "dot" },
    marker: { size: curve.running ? 7 : 4 }, hovertemplate: `%{fullData.name}<br>epoch %{x}: %{y:.4g}<extra></extra>`,
  }));
  const narrow = innerWidth < 700;
  const isBelow = byId("curves").clientWidth < 900; /* the legend; beside the curves names need room */
  const last = Math.max(...traces.flatMap((trace) => trace.x));
  byId("curves-said").hidden = new Set(curves.map((curve) => curve.running)).size < 2;
  const [ink, grid, paper] = [colour("ink"), colour("grid"), colour("paper")];
  const axis = { gridcolor: grid, linecolor: grid, zeroline: false, automargin: true };
  window.Plotly.react(byId("curves"), traces, {
    font: { color: ink, size: 12, family: "system-ui, sans-serif" }, showlegend: true,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: narrow ? 30 : 50, r: 12, t: 8, b: isBelow ? 48 + 12 * traces.length : 40 },
    xaxis: { ...axis, title: { text: "Epoch" }, ...(last > 10 ? { tickformat: ",d" } : { dtick: 1 }) },
    yaxis: { ...axis, title: { text: narrow ? "" : select.selectedOptions[0].text + (percent ? " [%]" : "") } },
    legend: isBelow ? { orientation: "h", yref: "container", yanchor: "bottom", y: 0, font: { size: 11 } } : { font: { size: 12 } },
    hoverlabel: { bgcolor: paper, bordercolor: grid, font: { color: ink } }, uirevision: figure,
  }, { responsive: true, displayModeBar: false });
  byId("curves").dataset.drawn = traces.length;
};

/* Parts that changed come as HTML that the server escaped; a part keeps its place of scrolling. */
const replace = (id, html) => {
  const part = byId(id);
  if (part.dataset.html === html) return;
  part.dataset.html = html;
  const before = [...part.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.innerHTML = html;
  part.querySelectorAll(".scroll").forEach((box, place) => {
    if (before[place]) [box.scrollLeft, box.scrollTop] = before[place];
  });
  if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
};
if (source) {
  const events = new EventSource(source);
  events.onmessage = (event) => {
    const pushed = JSON.parse(event.data);
    for (const [id, html] of Object.entries(pushed.parts)) replace(id, html);
    if (pushed.stamp) byId("stale").hidden = pushed.stamp === document.body.dataset.stamp;
    if (pushed.curves) { curves = pushed.curves; drawCurves(); }
    showChosen();
  };
  const lost = document.querySelector(".lost");
  events.onopen = () => { lost.hidden = true; };
  events.onerror = () => { lost.hidden = false; };
  addEventListener("pagehide", () => events.close());
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
  button.textContent = "Copied";
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
byId("figure")?.addEventListener("change", drawCurves);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCurves);
showChosen();
drawCurves();
})();
