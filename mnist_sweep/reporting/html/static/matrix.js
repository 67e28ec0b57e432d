const STEPS = 8;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const minus = (text) => text.replace("-", "\u2212");
const signed = (value) => minus((value > 0 ? "+" : "") + (Number.isInteger(value) ? value : value.toFixed(1)));

/* Totals of the true classes: sums of columns, because counts[predicted][true]. */
const totals = (counts) => counts.map((_, label) => sum(counts.map((row) => row[label])));

const perRun = (network, split) => network[split].map((row) => row.map((count) => count / network.runs));

const fill = (counts, write) => {
  [...byId("matrix").tBodies[0].rows].forEach((line, predicted) => {
    line.querySelectorAll("td").forEach((cell, label) => {
      const [text, below, shade, title] = write(counts[predicted][label], predicted, label);
      cell.className = shade;
      cell.title = title;
      const small = document.createElement("small");
      small.textContent = below;
      cell.replaceChildren(text, small);
    });
  });
};

const step = (part) => Math.max(0, Math.min(STEPS, Math.round(part * STEPS)));

const showMatrix = (network, split) => {
  const counts = network[split];
  const all = totals(counts);
  const share = (count, label) => (all[label] ? count / all[label] : 0);
  const wrong = counts.flatMap((row, predicted) =>
    row.map((count, label) => (predicted === label ? 0 : share(count, label))));
  const right = counts.map((row, label) => share(row[label], label));
  const [largest, lowest] = [Math.max(...wrong, 1e-9), Math.min(...right, 0.999)];
  fill(counts, (count, predicted, label) => {
    const part = share(count, label);
    const title = `predicted ${predicted}, true ${label}: ${count} of ${all[label]}`;
    if (predicted === label) {
      return [count.toLocaleString("en"), (100 * part).toFixed(1), `k${step((part - lowest) / (1 - lowest))}`, title];
    }
    if (!count) return ["·", "", "none", title];
    return [count.toLocaleString("en"), (100 * part).toFixed(1), `e${Math.max(1, step(part / largest))}`, title];
  });
  byId("matrix-said").textContent = "Rows are what the network predicted. Counts; below them the share of the "
    + `true class in percent. Orange: confused, darkest at ${(100 * largest).toFixed(2)} %; blue: right.`;
};

const showDifference = (network, other, split) => {
  const [one, two] = [perRun(network, split), perRun(other, split)];
  const counts = one.map((row, predicted) => row.map((count, label) => count - two[predicted][label]));
  const largest = Math.max(...counts.flat().map(Math.abs), 1e-9);
  fill(counts, (count, predicted, label) => {
    const title = `predicted ${predicted}, true ${label}: ${signed(count)} examples a run`;
    const worse = predicted === label ? -count : count;
    if (!count) return ["·", "", "none", title];
    const shade = Math.max(1, step(Math.abs(count) / largest));
    return [signed(count), "", `${worse > 0 ? "e" : "k"}${shade}`, title];
  });
  byId("matrix-said").textContent = "Rows are what the networks predicted. Examples per run: the first network "
    + "less the second. Orange: the first is worse there; blue: it is better.";
};

const showDigits = (network, split) => {
  const counts = network[split];
  const all = totals(counts);
  const lines = counts.map((row, label) => {
    const [hits, claimed] = [row[label], sum(row)];
    const [precision, recall] = [claimed ? hits / claimed : 0, all[label] ? hits / all[label] : 0];
    const f1 = claimed + all[label] ? (2 * hits) / (claimed + all[label]) : 0;
    const mistakes = counts.map((other, predicted) => [predicted, other[label]])
      .filter(([predicted, count]) => predicted !== label && count > 0)
      .sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 3)
      .map(([predicted, count]) => `${predicted} \u00d7${count.toLocaleString("en")}`).join(", ");
    return [label, precision.toFixed(4), recall.toFixed(4), f1.toFixed(4), all[label].toLocaleString("en"), mistakes || "nothing"];
  });
  const lowest = lines.map((line) => line[3]).sort()[0];
  byId("digits").tBodies[0].replaceChildren(...lines.map((line) => {
    const row = document.createElement("tr");
    line.forEach((text, place) => {
      const cell = document.createElement(place === 0 ? "th" : "td");
      if (place === 0) cell.scope = "row";
      cell.className = place < 5 ? "n" : "";
      cell.textContent = text;
      if (place === 3 && text === lowest) cell.classList.add("worst");
      row.append(cell);
    });
    return row;
  }));
};

const showNetwork = () => {
  const network = data.networks[byId("network").value];
  const other = data.networks[byId("other").value];
  const split = byId("split").value;
  memory.set("network", JSON.stringify([byId("network").value, byId("other").value, split]));
  if (other && other !== network) showDifference(network, other, split);
  else showMatrix(network, split);
  const less = other && other !== network ? ` less ${other.name}` : "";
  byId("matrix-caption").textContent =
    `${network.name}${less}, ${split} split: true class along the top, predicted class down the side`;
  byId("digits-caption").textContent = `By digit: ${network.name}, ${split} split`;
  showDigits(network, split);
};

const startMatrix = () => {
  const ids = ["network", "other", "split"];
  const before = JSON.parse(memory.get("network") ?? "null");
  if (before && data.refresh) ids.forEach((id, place) => { byId(id).value = before[place]; });
  if (!byId("network").value) byId("network").selectedIndex = 0;
  ids.forEach((id) => byId(id).addEventListener("change", showNetwork));
  showNetwork();
};
