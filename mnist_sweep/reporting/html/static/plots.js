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

/* Panels stand beside each other as far as the window has room for them. */
const isNarrow = () => innerWidth < 700;
const columnsOf = (plot) => Math.min(plot.panels, isNarrow() ? 1 : 4);
const rowsOf = (plot) => Math.ceil(plot.panels / columnsOf(plot));
const domain = (place, count, gap) => {
  const size = (1 - gap * (count - 1)) / count;
  return [place * (size + gap), place * (size + gap) + size];
};
const placed = (plot, key, axis) => {
  const panel = Number(key.slice(5) || 1) - 1;
  const [columns, rows] = [columnsOf(plot), rowsOf(plot)];
  const column = panel % columns;
  if (key[0] === "x") return { domain: domain(column, columns, plot.oneY ? 0.04 : 0.1) };
  const isRepeated = plot.oneY && column > 0;
  return {
    domain: domain(rows - 1 - Math.floor(panel / columns), rows, 0.3 / rows),
    showticklabels: !isRepeated,
    ...(isRepeated ? { title: { text: "" } } : {}),
  };
};

const drawn = new Map();
let shownOnly = null; /* configurations that pass the filter */

const themed = (plot) => {
  const { layout } = plot;
  const [ink, grid, paper] = [colour("ink"), colour("grid"), colour("paper")];
  const narrow = isNarrow();
  const themedLayout = {
    ...layout,
    font: { color: ink, size: narrow ? 11 : 12, family: "system-ui, sans-serif" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 16, t: 24, b: 48 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("quiet"), activecolor: ink },
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, font: { size: narrow ? 10 : 12 } },
    hoverlabel: { bgcolor: paper, bordercolor: grid, font: { color: ink } },
    hovermode: "closest",
    annotations: (layout.annotations ?? []).map((note) => ({ ...note, bgcolor: paper, opacity: 0.85 })),
  };
  for (const key of Object.keys(layout).filter((name) => /^[xy]axis/.test(name))) {
    themedLayout[key] = {
      gridcolor: grid, zeroline: false, linecolor: grid, automargin: true, ...layout[key],
      ...placed(plot, key),
    };
  }
  return themedLayout;
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
  const shaded = trace.meta ? { line: { ...trace.line, color: mixed(trace.meta.shade) } } : {};
  if (!shownOnly || !trace.customdata) return { ...trace, ...shaded };
  return { ...trace, ...shaded, y: trace.y.map((value, place) => (shownOnly.has(trace.customdata[place]) ? value : null)) };
});

const channels = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
const mixed = (part) => {
  const [from, to] = [channels(colour("weak")), channels(colour("strong"))];
  return `rgb(${from.map((value, i) => Math.round(value + part * (to[i] - value))).join(",")})`;
};

const boxOf = (plot) => {
  const box = byId(`plot-${plot.id}`);
  const names = plot.data.filter((trace) => trace.showlegend).length;
  box.style.height = `${rowsOf(plot) * plot.height + names * (isNarrow() ? 20 : 10)}px`;
  return box;
};

const draw = (plot) => {
  const box = boxOf(plot);
  drawn.set(plot.id, plot);
  return window.Plotly.react(box, filtered(plot.data).map(lifted), themed(plot), {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  });
};

const redraw = () => drawn.forEach((plot) => draw(plot));

const startPlots = () => {
  if (!data.plots.length) return;
  if (!("DecompressionStream" in window)) {
    byId("plots-said").textContent = "This browser is too old for interactive plots.";
    root.classList.add("still");
    return;
  }
  let library = null;
  const show = async (plot) => {
    library ??= loadLibrary();
    await library;
    await draw(plot);
    byId(`plot-${plot.id}`).dataset.drawn = "yes";
  };
  /* A plot is drawn when it comes near the window; the others when there is nothing else to do. */
  const waiting = new Set(data.plots);
  const take = (plot) => (waiting.delete(plot) ? show(plot) : null);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      watcher.unobserve(entry.target);
      take(data.plots.find((plot) => `plot-${plot.id}` === entry.target.id));
    }
  }, { rootMargin: "600px" });
  data.plots.map(boxOf).forEach((box) => watcher.observe(box));
  const idle = window.requestIdleCallback ?? ((next) => setTimeout(next, 200));
  const rest = async () => {
    const [plot] = waiting;
    if (!plot) return;
    await take(plot);
    idle(rest);
  };
  setTimeout(() => idle(rest), 1000);
  let width = innerWidth;
  addEventListener("resize", () => {
    if ((width < 700) !== isNarrow()) redraw();
    width = innerWidth;
  });
  onTheme(redraw);
  filterListeners.push((configurations) => { shownOnly = configurations; redraw(); });
};
