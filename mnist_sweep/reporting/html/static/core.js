const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const root = document.documentElement;
root.classList.add("scripted");

/* Storage may be refused to a page opened from disk; the page then just forgets. */
const address = location.pathname + location.search;
const memory = {
  get(key) {
    try { return sessionStorage.getItem(address + key); } catch { return null; }
  },
  set(key, value) {
    try { sessionStorage.setItem(address + key, value); } catch { /* forgets */ }
  },
};

/* A colour of the style sheet as the browser resolves it for the theme of the moment. */
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
const colour = (name) => {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
};

const listeners = [];
const onTheme = (listener) => listeners.push(listener);
const themes = ["auto", "light", "dark"];
const setTheme = (theme) => {
  root.dataset.theme = theme;
  memory.set("theme", theme);
  byId("theme").textContent = `Colours: ${theme}`;
  listeners.forEach((listener) => listener());
};
byId("theme")?.addEventListener("click", () => {
  setTheme(themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  listeners.forEach((listener) => listener());
});
