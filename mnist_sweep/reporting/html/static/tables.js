const columns = data.columns;
const rowCount = columns["#"] ? columns["#"].length : 0;
const FEW = 40;
let showAll = false;
let wanted = null; /* rows that pass the filter; null is all */
const filterListeners = [];

const searched = Array.from({ length: rowCount }, (_, row) =>
  ["label", "status", "run_id"].map((key) => String(columns[key][row] ?? "")).join(" ").toLowerCase());

const keyOf = (word) => [word, `test.${word}`, `time.${word}`].find((key) => key in columns);

const compare = (value, operator, texts) => {
  if (operator === "=" || operator === "!=") {
    const same = texts.some((text) => {
      if (text === "null") return value === null;
      const asNumber = typeof value === "number" && text !== "" && Number(text) === value;
      return value !== null && (asNumber || String(value).toLowerCase() === text);
    });
    return operator === "=" ? same : !same;
  }
  const bound = Number(texts[0]);
  if (typeof value !== "number" || texts[0] === "" || Number.isNaN(bound)) return false;
  return { "<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound }[operator];
};

/* The rows that pass, or a sentence about what is not understood. */
const passing = (text) => {
  let rows = [...Array(rowCount).keys()];
  for (const word of text.toLowerCase().split(/\s+/).filter(Boolean)) {
    const found = /^([a-z_][\w.]*)(<=|>=|!=|=|<|>)(.*)$/.exec(word);
    const key = found && keyOf(found[1]);
    if (key) {
      const texts = found[3].split(",");
      rows = rows.filter((row) => compare(columns[key][row], found[2], texts));
    } else {
      rows = rows.filter((row) => searched[row].includes(word));
    }
  }
  return rows;
};

const tables = [...document.querySelectorAll("table.runs")];

const refold = () => {
  let hidden = 0;
  for (const table of tables) {
    let shown = 0;
    for (const line of table.tBodies[0].rows) {
      const passes = !wanted || wanted.has(Number(line.dataset.r));
      const fits = showAll || shown < FEW;
      line.hidden = !(passes && fits);
      if (passes) shown += 1;
      if (passes && !fits) hidden += 1;
    }
  }
  byId("all-rows").hidden = hidden === 0;
  const total = wanted ? wanted.size : rowCount;
  byId("all-rows").textContent = `Show all ${total.toLocaleString("en")} rows`;
};

const applyFilter = () => {
  const text = byId("filter").value;
  memory.set("filter", text);
  wanted = text.trim() ? new Set(passing(text)) : null;
  byId("filter-said").textContent = wanted
    ? `${wanted.size.toLocaleString("en")} of ${rowCount.toLocaleString("en")} rows` : "";
  refold();
  const kept = wanted && new Set([...wanted].map((row) => columns["#"][row]));
  filterListeners.forEach((listener) => listener(kept));
};

const order = (a, b, down) => {
  if (a === null || b === null) return (a === null) - (b === null); /* no value comes last */
  const bothNumbers = typeof a === "number" && typeof b === "number";
  const sign = bothNumbers ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return down ? -sign : sign;
};

const sortBy = (table, heading) => {
  const values = columns[heading.dataset.key];
  const down = heading.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const lines = [...table.tBodies[0].rows];
  lines.sort((a, b) => order(values[a.dataset.r], values[b.dataset.r], down) || a.dataset.r - b.dataset.r);
  table.tBodies[0].append(...lines);
  refold();
};

const startTables = () => {
  for (const table of tables) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, heading));
      heading.append(button);
    }
  }
  let waiting = 0;
  byId("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(applyFilter, rowCount > 200 ? 150 : 0);
  });
  byId("all-rows").addEventListener("click", () => { showAll = true; refold(); });
  byId("filter").value = memory.get("filter") ?? "";
  applyFilter();
};
