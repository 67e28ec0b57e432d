
/* Columns are shown as far as they are checked; the choice is kept while the tab is open. */
const boxes = [...document.querySelectorAll(".columns input")];
const showColumns = () => {
  const table = byId("merged").closest("table");
  const keys = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.key);
  const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
  for (const row of table.rows) {
    keys.forEach((key, place) => { row.cells[place].hidden = off.has(key); });
  }
  memory.set("columns", JSON.stringify([...off]));
};
if (boxes.length) {
  const before = JSON.parse(memory.get("columns") ?? "null");
  boxes.forEach((box) => {
    if (before) box.checked = !before.includes(box.value);
    box.addEventListener("change", showColumns);
  });
  startTables();
  showColumns();
}
