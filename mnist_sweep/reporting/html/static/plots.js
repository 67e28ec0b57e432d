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

/* A plot is described in reporting/figures/plot.py; a point is [x, y, hover, configuration]. */
const modes = { points: "markers", line: "lines", dashed: "lines", both: "lines+markers" };
const drawn = new Set();
let shownOnly = null; /* configurations that pass the filter; the points of others are blanked */

const channels = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
const mixed = (part) => {
  const [from, to] = [channels(colour("weak")), channels(colour("strong"))];
  return `rgb(${from.map((value, i) => Math.round(value + part * (to[i] - value))).join(",")})`;
};
const colourOf = (one) => {
  if (one.shade !== null) return mixed(one.shade);
  const place = one.look % data.colours.length;
  return place ? data.colours[place] : colour("right"); /* the first is too dark on a dark page */
};
const axisName = (side, panel) => `${side}${panel ? panel + 1 : ""}`;

const traceOf = (one, place, all) => ({
  type: "scatter", mode: modes[one.kind],
  x: one.points.map(([x]) => x),
  y: one.points.map(([, y, , of]) => (!shownOnly || of === null || shownOnly.has(of) ? y : null)),
  hoverinfo: "text", hovertext: one.points.map(([, , text]) => text),
  xaxis: axisName("x", one.panel), yaxis: axisName("y", one.panel),
  name: one.name, legendgroup: one.name, opacity: one.opacity,
  showlegend: one.name !== "" && all.findIndex((other) => other.name === one.name) === place,
  line: { color: colourOf(one), dash: one.kind === "dashed" ? "dash" : "solid", width: 2 },
  marker: { color: colourOf(one), symbol: data.markers[one.look % data.markers.length], size: one.size },
});

/* On a logarithmic axis a tick a decade, or at 1, 2 and 5 of each, in full, where they are few. */
const ticksOf = (axis, values) => {
  if (axis.is_log) {
    const known = values.filter((value) => value > 0);
    const isLong = Math.max(...known) > 100 * Math.min(...known);
    if (isLong) return { type: "log", dtick: 1, exponentformat: "power" };
    const decades = [-1, 0, 1, 2].map((more) => Math.floor(Math.log10(Math.min(...known))) + more);
    const ticks = decades.flatMap((decade) => [1, 2, 5].map((digit) => Number(`${digit}e${decade}`)));
    return { type: "log", tickvals: ticks, ticktext: ticks.map(String) };
  }
  if (!axis.ticks.length) return axis.is_whole ? { tickformat: ",d" } : {};
  return { tickvals: axis.ticks.map(([at]) => at), ticktext: axis.ticks.map(([, text]) => text) };
};
const axisOf = (axis, values, more) => ({
  title: { text: axis.title }, ...ticksOf(axis, values), ...(axis.limits && { range: axis.limits }),
  gridcolor: colour("grid"), linecolor: colour("grid"), zeroline: false, automargin: true, ...more,
});

/* Panels stand beside each other as far as the window has room for them. */
const isNarrow = () => innerWidth < 700;
const columnsOf = (plot) => Math.min(plot.x.length, isNarrow() ? 1 : 4);
const rowsOf = (plot) => Math.ceil(plot.x.length / columnsOf(plot));
const domain = (place, count, gap) => {
  const size = (1 - gap * (count - 1)) / count;
  return [place * (size + gap), place * (size + gap) + size];
};
const axesOf = (plot) => {
  const [columns, rows] = [columnsOf(plot), rowsOf(plot)];
  const isShared = plot.y.length < plot.x.length;
  return Object.fromEntries(plot.x.flatMap((x, panel) => {
    const y = plot.y[isShared ? 0 : panel];
    const column = panel % columns;
    const isRepeated = isShared && column > 0;
    const points = plot.series.filter((one) => one.panel === panel).flatMap((one) => one.points);
    return [
      [axisName("xaxis", panel), axisOf(x, points.map((point) => point[0]), {
        anchor: axisName("y", panel), domain: domain(column, columns, isShared ? 0.04 : 0.1),
      })],
      [axisName("yaxis", panel), axisOf(isRepeated ? { ...y, title: "" } : y, points.map((point) => point[1]), {
        anchor: axisName("x", panel),
        domain: domain(rows - 1 - Math.floor(panel / columns), rows, 0.3 / rows),
        showticklabels: !isRepeated, visible: !plot.labels.length,
        ...(isShared && panel && { matches: "y" }),
      })],
    ];
  }));
};
const layoutOf = (plot) => {
  const [ink, paper] = [colour("ink"), colour("paper")];
  return {
    ...axesOf(plot),
    showlegend: plot.series.some((one) => one.name),
    font: { color: ink, size: isNarrow() ? 11 : 12, family: "system-ui, sans-serif" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 16, t: 24, b: 48 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("quiet"), activecolor: ink },
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, font: { size: isNarrow() ? 10 : 12 } },
    hoverlabel: { bgcolor: paper, bordercolor: colour("grid"), font: { color: ink } },
    hovermode: "closest",
    annotations: plot.labels.map(([x, y, text]) => ({
      x, y, text, showarrow: false, xanchor: "left", xshift: 3, font: { size: 10 }, bgcolor: paper, opacity: 0.85,
    })),
  };
};

const boxOf = (plot) => {
  const box = byId(`plot-${plot.name}`);
  const names = new Set(plot.series.map((one) => one.name).filter(Boolean)).size;
  box.style.height = `${rowsOf(plot) * plot.height + names * (isNarrow() ? 20 : 10)}px`;
  return box;
};

const draw = (plot) => {
  drawn.add(plot);
  return window.Plotly.react(boxOf(plot), plot.series.map(traceOf), layoutOf(plot), {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  });
};

const redraw = () => drawn.forEach(draw);

const startPlots = () => {
  if (!data.plots.length) return;
  if (!("DecompressionStream" in window)) {
    byId("plots-said").textContent = "This browser is too old for interactive plots.";
    root.classList.add("still");
    return;
  }
  let library = null;
  /* A plot is drawn when it comes near the window; the others when there is nothing else to do. */
  const waiting = new Set(data.plots);
  const take = async (plot) => {
    if (!waiting.delete(plot)) return;
    library ??= loadLibrary();
    await library;
    await draw(plot);
    byId(`plot-${plot.name}`).dataset.drawn = "yes";
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      watcher.unobserve(entry.target);
      take(data.plots.find((plot) => `plot-${plot.name}` === entry.target.id));
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
