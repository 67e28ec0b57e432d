const columns = data.columns;
const rowCount = columns["#"] ? columns["#"].length : 0;
const filterListeners = [];
let wanted = null; /* rows of the full tables that pass the filter; null is all */
let kept = null; /* their configurations */

const searched = Array.from({ length: rowCount }, (_, row) =>
  ["label", "status", "run_id"].map((key) => String(columns[key][row] ?? "")).join(" ").toLowerCase());

const keyOf = (word) => [word, `test.${word}`, `time.${word}`].find((key) => key in columns);

/* 98 is meant as a percentage where a column has shares. */
const isShare = (key) => columns[key].every((value) => value === null || (value >= 0 && value <= 1));
const bound = (key, text) => {
  const number = text === "" ? NaN : Number(text);
  return number > 1 && /accuracy|f1|precision|recall/.test(key) && isShare(key) ? number / 100 : number;
};

const compare = (key, value, operator, texts) => {
  if (operator === "=" || operator === "!=") {
    const same = texts.some((text) => {
      if (text === "null") return value === null;
      const asNumber = typeof value === "number" && bound(key, text) === value;
      return value !== null && (asNumber || String(value).toLowerCase() === text);
    });
    return operator === "=" ? same : !same;
  }
  const end = bound(key, texts[0]);
  if (typeof value !== "number" || Number.isNaN(end)) return false;
  return { "<": value < end, "<=": value <= end, ">": value > end, ">=": value >= end }[operator];
};

/* Letters that two words share in order: enough to guess what was meant. */
const likeness = (one, two) => {
  let [same, from] = [0, 0];
  for (const letter of one) {
    const place = two.indexOf(letter, from);
    if (place >= 0) [same, from] = [same + 1, place + 1];
  }
  return same / Math.max(one.length, two.length);
};
const shownKeys = [...new Set([...document.querySelectorAll("table.runs th[data-key]")].map((h) => h.dataset.key))]
  .filter((key) => key in columns);

/* The rows that pass, and a sentence about what is not understood. */
const passing = (text) => {
  let rows = [...Array(rowCount).keys()];
  let hint = "";
  for (const word of text.toLowerCase().split(/\s+/).filter(Boolean)) {
    const found = /^([a-z_][\w.]*)(<=|>=|!=|=|<|>)(.*)$/.exec(word);
    const key = found && keyOf(found[1]);
    if (key) {
      rows = rows.filter((row) => compare(key, columns[key][row], found[2], found[3].split(",")));
    } else if (found && Object.keys(columns).length) {
      const close = [...shownKeys].sort((a, b) => likeness(found[1], b) - likeness(found[1], a))[0];
      hint = `No column ${found[1]}: did you mean ${close}? There are ${shownKeys.join(", ")}.`;
      rows = [];
    } else {
      rows = rows.filter((row) => searched[row].includes(word));
    }
  }
  return [rows, hint];
};

const tables = [...document.querySelectorAll("table.runs")];
const sourceOf = (table) => data[table.dataset.source];
const passes = (table, row) => {
  if (!wanted) return true;
  return table.dataset.source === "columns" ? wanted.has(row) : kept.has(data.ranked["#"][row]);
};

const refold = () => {
  for (const table of tables) {
    let shown = 0;
    const few = table.dataset.all ? Infinity : Number(table.dataset.few);
    for (const line of table.tBodies[0].rows) {
      const isIn = passes(table, Number(line.dataset.r));
      line.hidden = !(isIn && shown < few);
      if (isIn) shown += 1;
    }
    const more = table.closest("section, details").querySelector("button.more");
    if (more) more.hidden = shown <= few;
  }
};

const applyFilter = () => {
  const text = byId("filter").value;
  memory.set("filter", text);
  const [rows, hint] = text.trim() ? passing(text) : [null, ""];
  wanted = rows && new Set(rows);
  kept = rows && new Set(rows.map((row) => columns["#"][row]));
  const count = rows ? `${rows.length.toLocaleString("en")} of ${rowCount.toLocaleString("en")} runs` : "";
  byId("filter-said").textContent = hint || count;
  refold();
  filterListeners.forEach((listener) => listener(kept));
};

const order = (a, b, down) => {
  if (a === null || b === null) return (a === null) - (b === null); /* no value comes last */
  const bothNumbers = typeof a === "number" && typeof b === "number";
  const sign = bothNumbers ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return down ? -sign : sign;
};

const sortBy = (table, heading) => {
  const values = sourceOf(table)[heading.dataset.key];
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
      if (!(heading.dataset.key in sourceOf(table))) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, heading));
      heading.append(button);
    }
  }
  document.querySelectorAll("button.more").forEach((button) => button.addEventListener("click", () => {
    button.closest("section, details").querySelectorAll(":scope table.runs").forEach((table) => { table.dataset.all = "yes"; });
    refold();
  }));
  if (!byId("filter")) { refold(); return; }
  let waiting = 0;
  byId("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(applyFilter, rowCount > 200 ? 150 : 0);
  });
  byId("filter").value = memory.get("filter") ?? "";
  applyFilter();
};
