const STEPS = 8;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const minus = (text) => text.replace("-", "\u2212");
const signed = (value) => minus((value > 0 ? "+" : "") + (Number.isInteger(value) ? value : value.toFixed(1)));
const perRun = (network, split) => network[split].map((row) => row.map((count) => count / network.runs));
const step = (part) => Math.max(0, Math.min(STEPS, Math.round(part * STEPS)));
const said = {
  true: ["True class", "Predicted class"],
  predicted: ["Predicted class", "True class"],
};

/* counts[true][predicted]; the published report has the predicted class in rows. */
const fill = (counts, write) => {
  const turned = byId("rows").value === "predicted";
  [byId("rows-h").textContent, byId("columns-h").textContent] = said[byId("rows").value];
  [...byId("matrix").tBodies[0].rows].forEach((line, row) => {
    line.querySelectorAll("td").forEach((cell, column) => {
      const [label, predicted] = turned ? [column, row] : [row, column];
      [cell.textContent, cell.className, cell.title] = write(counts[label][predicted], predicted, label);
    });
  });
};

const showMatrix = (network, split) => {
  const counts = network[split];
  const all = counts.map(sum);
  const share = (count, label) => (all[label] ? count / all[label] : 0);
  const wrong = counts.flatMap((row, label) =>
    row.map((count, predicted) => (predicted === label ? 0 : share(count, label))));
  const right = counts.map((row, label) => share(row[label], label));
  const [largest, lowest] = [Math.max(...wrong, 1e-9), Math.min(...right, 0.999)];
  fill(counts, (count, predicted, label) => {
    const part = share(count, label);
    const title = `true ${label}, predicted ${predicted}: ${count} of ${all[label]} (${(100 * part).toFixed(2)} %)`;
    if (predicted === label) {
      return [count.toLocaleString("en"), `k${step((part - lowest) / (1 - lowest))}`, title];
    }
    return count ? [count.toLocaleString("en"), `e${Math.max(1, step(part / largest))}`, title] : ["", "none", title];
  });
  byId("matrix-said").textContent = `Blue: right. Orange: confused, darkest ${(100 * largest).toFixed(2)} % of a true class.`;
};

const showDifference = (network, other, split) => {
  const [one, two] = [perRun(network, split), perRun(other, split)];
  const counts = one.map((row, label) => row.map((count, predicted) => count - two[label][predicted]));
  const largest = Math.max(...counts.flat().map(Math.abs), 1e-9);
  fill(counts, (count, predicted, label) => {
    const title = `true ${label}, predicted ${predicted}: ${signed(count)} examples a run`;
    const worse = predicted === label ? -count : count;
    if (!count) return ["", "none", title];
    const shade = Math.max(1, step(Math.abs(count) / largest));
    return [signed(count), `${worse > 0 ? "e" : "k"}${shade}`, title];
  });
  byId("matrix-said").textContent = "Examples per run: the first network less the second. "
    + "Orange: the first is worse there. Blue: it is better.";
};

const showDigits = (network, split) => {
  const counts = network[split];
  const all = counts.map(sum);
  const lines = counts.map((row, label) => {
    const [hits, claimed] = [row[label], sum(counts.map((other) => other[label]))];
    const [precision, recall] = [claimed ? hits / claimed : 0, all[label] ? hits / all[label] : 0];
    const f1 = claimed + all[label] ? (2 * hits) / (claimed + all[label]) : 0;
    const mistakes = row.map((count, predicted) => [predicted, count])
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

const choices = ["network", "other", "split", "rows"];
const showNetwork = () => {
  const network = data.networks[byId("network").value];
  const other = data.networks[byId("other").value];
  const split = byId("split").value;
  const isDifference = other && other !== network && other[split].length === network[split].length;
  memory.set("network", JSON.stringify(choices.map((id) => byId(id).value)));
  if (isDifference) showDifference(network, other, split);
  else showMatrix(network, split);
  byId("matrix-caption").textContent = `${network.name}${isDifference ? ` less ${other.name}` : ""}, ${split} split`;
  byId("digits-caption").textContent = `${network.name}, ${split} split`;
  showDigits(network, split);
};

const startMatrix = () => {
  const before = JSON.parse(memory.get("network") ?? "null");
  if (before && data.refresh) choices.forEach((id, place) => { byId(id).value = before[place]; });
  if (!byId("network").value) byId("network").selectedIndex = 0;
  choices.forEach((id) => byId(id).addEventListener("change", showNetwork));
  showNetwork();
};
