// Dark or light: what was chosen here before, else what the system prefers.
const KEY = "theme";

export function chosenTheme() {
  const preferred = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  return localStorage.getItem(KEY) ?? preferred;
}

export function show(theme) {
  document.documentElement.dataset.theme = theme;
}

export function keep(theme) {
  localStorage.setItem(KEY, theme);
  show(theme);
}
