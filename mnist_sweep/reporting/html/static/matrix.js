const sum = (values) => values.reduce((total, value) => total + value, 0);
const signed = (value) => {
  const text = (value > 0 ? "+" : "") + (Number.isInteger(value) ? value : value.toFixed(1));
  return text.replace("-", "\u2212");
};
const said = {
  true: ["True class", "Predicted class"],
  predicted: ["Predicted class", "True class"],
};

/* counts[true][predicted]; the published report has the predicted class in rows. `write` gives a
   cell's text, its class, its strength from 0 to 1, and its title. */
const fill = (counts, write) => {
  const turned = byId("rows").value === "predicted";
  [byId("rows-h").textContent, byId("columns-h").textContent] = said[byId("rows").value];
  [...byId("matrix").tBodies[0].rows].forEach((line, row) => {
    line.querySelectorAll("td").forEach((cell, column) => {
      const [label, predicted] = turned ? [column, row] : [row, column];
      const [text, kind, part, title] = write(counts[label][predicted], predicted, label);
      [cell.textContent, cell.className, cell.title] = [text, kind, title];
      cell.style.setProperty("--part", Math.max(0, Math.min(1, part)));
    });
  });
};

const showMatrix = (counts, names) => {
  const all = counts.map(sum);
  const shares = counts.map((row, label) => row.map((count) => (all[label] ? count / all[label] : 0)));
  const largest = Math.max(...shares.flatMap((row, label) => row.filter((_, other) => other !== label)), 1e-9);
  const lowest = Math.min(...shares.map((row, label) => row[label]), 0.999);
  fill(counts, (count, predicted, label) => {
    const part = shares[label][predicted];
    const title = `true ${names[label]}, predicted ${names[predicted]}: ${count} of ${all[label]} (${(100 * part).toFixed(2)} %)`;
    const text = count.toLocaleString("en");
    if (predicted === label) return [text, "right", (part - lowest) / (1 - lowest), title];
    return count ? [text, "wrong", Math.max(0.125, part / largest), title] : ["", "none", 0, title];
  });
  byId("matrix-said").textContent = `Blue: correct. Orange: misread, up to ${(100 * largest).toFixed(2)} % of a true class (darkest).`;
};

const showDifference = (network, other, split) => {
  const counts = network[split].map((row, label) => row.map((count, predicted) =>
    count / network.runs - other[split][label][predicted] / other.runs));
  const largest = Math.max(...counts.flat().map(Math.abs), 1e-9);
  fill(counts, (count, predicted, label) => {
    const title = `true ${network.names[label]}, predicted ${network.names[predicted]}: ${signed(count)} examples per run`;
    if (!count) return ["", "none", 0, title];
    const isWorse = predicted === label ? count < 0 : count > 0;
    return [signed(count), isWorse ? "wrong" : "right", Math.max(0.125, Math.abs(count) / largest), title];
  });
  byId("matrix-said").textContent = "Examples per run: the first network minus the second. "
    + "Orange: the first is worse there. Blue: it is better.";
};

const showDigits = (counts, names) => {
  const all = counts.map(sum);
  const lines = counts.map((row, label) => {
    const [hits, claimed] = [row[label], sum(counts.map((other) => other[label]))];
    const [precision, recall] = [claimed ? hits / claimed : 0, all[label] ? hits / all[label] : 0];
    const f1 = claimed + all[label] ? (2 * hits) / (claimed + all[label]) : 0;
    const mistakes = row.map((count, predicted) => [predicted, count])
      .filter(([predicted, count]) => predicted !== label && count > 0)
      .sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 3)
      .map(([predicted, count]) => `${names[predicted]} \u00d7${count.toLocaleString("en")}`).join(", ");
    return [names[label], precision.toFixed(4), recall.toFixed(4), f1.toFixed(4), all[label].toLocaleString("en"), mistakes || "nothing"];
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
  else showMatrix(network[split], network.names);
  byId("matrix-caption").textContent = `${network.name}${isDifference ? ` less ${other.name}` : ""}, ${split} split`;
  byId("digits-caption").textContent = `${network.name}, ${split} split`;
  showDigits(network[split], network.names);
};

const startMatrix = () => {
  const before = JSON.parse(memory.get("network") ?? "null");
  if (before && data.refresh) choices.forEach((id, place) => { byId(id).value = before[place]; });
  if (!byId("network").value) byId("network").selectedIndex = 0;
  choices.forEach((id) => byId(id).addEventListener("change", showNetwork));
  showNetwork();
};
