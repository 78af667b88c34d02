// The pair view: drawn by plotly.js, which comes from this machine and only when it is needed.
const plot = document.getElementById("plot");
const name = document.getElementById("pairname");
const hours = document.getElementById("hours");
const EVERY_MS = 30_000;
const NARROW_PX = 640;
// Nothing that leads away from the page or sends the picture anywhere.
const CONFIG = { responsive: true, displaylogo: false, showSendToCloud: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

let library = null;
let asked = 0;

function load() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/plotly.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { library = null; reject(new Error("the chart library did not load")); };
    document.head.append(script);
  });
  return library;
}

// On a phone the chart itself needs the room; what is left out stands in words below it.
function simplify(figure) {
  figure.layout.title = { text: "" };
  figure.layout.showlegend = false;
  figure.layout.margin = { l: 62, r: 10, t: 12, b: 60 };
  figure.layout.annotations = (figure.layout.annotations ?? []).filter((note) => note.yshift === undefined);
  for (const [key, axis] of Object.entries(figure.layout)) if (key.startsWith("yaxis")) axis.title = { text: "" };
  for (const trace of figure.data) if (trace.type === "heatmap") trace.showscale = false;
}

const theme = () => document.documentElement.dataset.theme;

export async function draw() {
  const pair = name.value.trim();
  if (!pair) return;
  const number = ++asked;
  if (!plot.classList.contains("drawn")) plot.textContent = "Drawing ...";
  try {
    const question = new URLSearchParams({ pair, hours: hours.value, theme: theme() });
    const [answer, plotly] = await Promise.all([fetch(`/api/pair?${question}`), load()]);
    const figure = await answer.json();
    if (number !== asked) return;
    if (!answer.ok || figure.error) throw new Error(figure.error ?? "the sidecar cannot draw it");
    if (!plot.classList.contains("drawn")) {
      plot.textContent = "";
      plot.classList.add("drawn");
    }
    plot.setAttribute("aria-label", `Chart of ${pair}, last ${hours.value} hours: candles, liquidations, z`);
    figure.layout.autosize = true;
    // Along the side, where it covers no words of the title.
    figure.layout.modebar = { orientation: "v" };
    delete figure.layout.width;
    if (plot.clientWidth < NARROW_PX) simplify(figure);
    plot.style.height = `${figure.layout.height ?? 760}px`;
    await plotly.react(plot, figure.data, figure.layout, CONFIG);
  } catch (error) {
    if (plot.classList.contains("drawn")) (await load()).purge(plot);
    plot.classList.remove("drawn");
    plot.style.height = "";
    plot.textContent = `${pair}: ${error.message}`;
  }
}

export function openPair(pair) {
  name.value = pair;
  document.getElementById("pair").scrollIntoView();
  draw();
}

// The busiest pair, once somebody looks here; the chart library is large.
export function offer(pair) {
  if (!name.value) name.value = pair;
}

new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && name.value && !asked) draw();
}).observe(plot);

document.getElementById("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
hours.addEventListener("change", draw);
setInterval(() => { if (!document.hidden && plot.classList.contains("drawn")) draw(); }, EVERY_MS);
