/* Plotly writes a few style attributes, which the page's policy refuses as text; as properties the
   browser takes them. Style sheets of its map controls are not needed here. */
const admitStyles = () => {
  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style" && this.style) this.style.cssText = value;
    else set.call(this, name, value);
  };
  const add = Node.prototype.appendChild;
  Node.prototype.appendChild = function appendChild(node) {
    if (node.nodeName === "STYLE" && node.textContent) return node;
    return add.call(this, node);
  };
};

const loadLibrary = async () => {
  const packed = Uint8Array.from(atob(byId("library").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  admitStyles();
  document.head.append(script);
  script.remove();
};

/* On a narrow window two panels stand one above the other. */
const PAPER_PX = 690; /* A4 less its margins, at 96 pixels an inch */
const isNarrow = () => innerWidth < 700 && !printing;
const isStacked = (layout) => isNarrow() && "yaxis2" in layout;
const stacked = (layout) => ({
  ...layout,
  xaxis: { ...layout.xaxis, domain: [0, 1] },
  xaxis2: { ...layout.xaxis2, domain: [0, 1] },
  yaxis: { ...layout.yaxis, domain: [0.58, 1] },
  yaxis2: { ...layout.yaxis2, domain: [0, 0.42], showticklabels: true },
});

const drawn = new Map();
let kept = null;
let printing = false;

const themed = (layout) => {
  const [ink, grid, paper] = [colour("ink"), colour("grid"), colour("paper")];
  const narrow = isNarrow();
  const themedLayout = {
    ...layout,
    font: { color: ink, size: narrow ? 10 : 12, family: "system-ui, sans-serif" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 16, t: 30, b: 50 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("quiet"), activecolor: ink },
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, font: { size: narrow ? 9 : 11 } },
    hoverlabel: { bgcolor: paper, bordercolor: grid, font: { color: ink } },
    hovermode: "closest",
    annotations: (layout.annotations ?? []).map((note) => ({ ...note, bgcolor: paper, opacity: 0.85 })),
  };
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis/.test(key)) {
      themedLayout[key] = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true, ...layout[key] };
      if (narrow && layout[key].type === "category") themedLayout[key].tickfont = { size: 8 };
    }
  }
  if (printing) themedLayout.width = PAPER_PX;
  return isStacked(layout) ? stacked(themedLayout) : themedLayout;
};

/* The darkest blue is hard to see on a dark page. */
const lifted = (trace) => {
  const changed = { ...trace };
  for (const part of ["line", "marker"]) {
    if (trace[part]?.color === "#0072B2") changed[part] = { ...trace[part], color: colour("right") };
  }
  return changed;
};

/* Points of configurations that the filter leaves out are blanked; lines get stronger with `shade`. */
const filtered = (traces) => traces.map((trace) => {
  const shaded = trace.meta && "shade" in trace.meta
    ? { line: { ...trace.line, color: mixed(trace.meta.shade) } } : {};
  if (trace.texttemplate && isNarrow()) return { ...trace, texttemplate: "" };
  if (!kept || !trace.customdata) return { ...trace, ...shaded };
  return { ...trace, ...shaded, y: trace.y.map((value, place) => (kept.has(trace.customdata[place]) ? value : null)) };
});

const channels = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
const mixed = (part) => {
  const [from, to] = [channels(colour("weak")), channels(colour("strong"))];
  return `rgb(${from.map((value, i) => Math.round(value + part * (to[i] - value))).join(",")})`;
};

const draw = (plot) => {
  const box = byId(`plot-${plot.id}`);
  drawn.set(plot.id, plot);
  box.style.height = isStacked(plot.layout) ? `${1.7 * plot.height}px` : "";
  return window.Plotly.react(box, filtered(plot.data).map(lifted), themed(plot.layout), {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  });
};

const redraw = () => {
  root.classList.toggle("printing", printing);
  drawn.forEach((plot) => draw(plot));
};

const startPlots = () => {
  if (!data.plots.length) return;
  if (!("DecompressionStream" in window)) {
    byId("plots-said").textContent =
      "This browser is too old for the interactive plots; the same pictures lie in figures/ beside this file.";
    return;
  }
  let library = null;
  const show = async (plot) => {
    library ??= loadLibrary();
    await library;
    await draw(plot);
    byId(`plot-${plot.id}`).dataset.drawn = "yes";
  };
  /* A plot is drawn when it comes near the window; the others when there is nothing else to do, so
     that they are there for a print. */
  const waiting = new Set(data.plots);
  const take = (plot) => (waiting.delete(plot) ? show(plot) : null);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      watcher.unobserve(entry.target);
      take(data.plots.find((plot) => `plot-${plot.id}` === entry.target.id));
    }
  }, { rootMargin: "600px" });
  data.plots.forEach((plot) => watcher.observe(byId(`plot-${plot.id}`)));
  const idle = window.requestIdleCallback ?? ((next) => setTimeout(next, 200));
  const rest = async () => {
    const [plot] = waiting;
    if (!plot) return;
    await take(plot);
    idle(rest);
  };
  setTimeout(() => idle(rest), 1000);
  /* Paper is white and narrower than most windows. */
  addEventListener("beforeprint", () => { printing = true; redraw(); });
  addEventListener("afterprint", () => { printing = false; redraw(); });
  let width = innerWidth;
  addEventListener("resize", () => {
    if ((width < 700) !== isNarrow()) redraw();
    width = innerWidth;
  });
  onTheme(redraw);
  filterListeners.push((configurations) => { kept = configurations; redraw(); });
};
