startPlots();
startTables();
if (byId("network")) startMatrix();
setTheme(themes.includes(memory.get("theme")) ? memory.get("theme") : "auto");

/* While a sweep runs: reload the page at the same place, unless it is paused. */
if (data.refresh) {
  const before = memory.get("scroll");
  if (before) scrollTo(0, Number(before));
  addEventListener("pagehide", () => memory.set("scroll", String(scrollY)));
  let timer = setTimeout(() => location.reload(), 1000 * data.refresh);
  byId("pause").addEventListener("click", (event) => {
    const paused = event.currentTarget.getAttribute("aria-pressed") === "true";
    event.currentTarget.setAttribute("aria-pressed", String(!paused));
    event.currentTarget.textContent = paused ? "Pause" : "Resume";
    clearTimeout(timer);
    if (paused) timer = setTimeout(() => location.reload(), 1000 * data.refresh);
  });
}

/* A link to something that is folded unfolds it. */
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  const folded = link && document.querySelector(link.getAttribute("href"))?.closest("details");
  if (folded) folded.open = true;
});
root.dataset.ready = "yes";
