// One stream of events from the sidecar feeds every part of the page; it reconnects by itself.
import { showAccount, showPositions } from "./account.js";
import { empty, h, into } from "./dom.js";
import { moment, simulated } from "./format.js";
import { Market } from "./market.js";
import { draw, offer, openPair } from "./pair.js";
import { signalsTable, wavesTable } from "./signals.js";
import { StatusStrip } from "./status.js";
import { Tape } from "./tape.js";
import { chosenTheme, keep, show } from "./theme.js";

const SILENT_MS = 25_000;

function chooseTheme() {
  const button = document.getElementById("theme");
  const name = () => { button.textContent = document.documentElement.dataset.theme === "dark" ? "Light theme" : "Dark theme"; };
  show(chosenTheme());
  name();
  button.addEventListener("click", () => {
    keep(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    name();
    draw();
  });
}

async function showEvidence() {
  const place = into("evidence");
  try {
    const found = await (await fetch("/api/evidence")).json();
    if (!found.sentences.length) {
      place.replaceChildren(empty("No study was made yet: liq-provider study asks your recording whether price runs on after a wave."));
      return;
    }
    const [first, ...rest] = found.sentences;
    place.replaceChildren(found.simulated ? h("p", { class: "chip mode sim" }, found.simulated) : "", h("p", { class: "said" }, h("b", {}, first)), ...rest.map((line) => h("p", { class: "said" }, line)),
      h("h3", {}, "What it cannot say"), h("ul", {}, found.limits.map((line) => h("li", {}, line))),
      h("p", { class: "dim" }, found.made_ms ? `Made ${moment(found.made_ms)}; the whole report: user_data/study/${found.file}` : ""));
  } catch {
    place.replaceChildren(empty("Not known while the sidecar does not answer."));
  }
}

chooseTheme();
const strip = new StatusStrip();
const waves = wavesTable(openPair);
const signals = signalsTable();
const market = new Market(openPair);
const tape = new Tape();
const handlers = {
  status: (found) => { markSimulated(found.simulated.venues); if (found.sampled) document.getElementById("sampled").textContent = found.sampled; strip.take(found); },
  account: (found) => { strip.takeAccount(found); showAccount(found); showPositions(found, strip.now); },
  waves: (found) => { waves.show(found.rows, more(found)); into("floor").textContent = found.floor; },
  signals: (found) => { signals.show(found.rows, more(found)); into("rules").textContent = `Decided by the rules of ${found.rules_of}.`; },
  market: (found) => { market.show(found); if (found.rows?.length) offer(found.rows[0].pair); },
  tape: (found) => tape.take(found),
  beat: (found) => strip.beat(found),
  "problem store": (found) => strip.trouble("store", found),
  "problem bot": (found) => strip.trouble("bot", found),
};

function more(found) {
  return found.more ? `The newest ${found.rows.length} of the last 24 hours; there are older ones.` : "";
}

// Names of venues stand in cells that are drawn already.
function markSimulated(venues) {
  if (venues.length === simulated.size && venues.every((name) => simulated.has(name))) return;
  simulated.clear();
  for (const name of venues) simulated.add(name);
  for (const shown of [market, tape]) shown.table.redraw();
}

let stream = null;
let heard = Date.now();

function listen() {
  stream?.close();
  stream = new EventSource(`/api/stream?window=${document.getElementById("window").value}`);
  for (const [name, handle] of Object.entries(handlers)) {
    stream.addEventListener(name, (event) => {
      heard = Date.now();
      const found = JSON.parse(event.data);
      // A problem that is over is null; of anything else, null means that there is nothing yet.
      if (found !== null || name.startsWith("problem")) handle(found);
    });
  }
  stream.onopen = () => { heard = Date.now(); };
  stream.onerror = async () => {
    strip.lose();
    // An answer that is no stream ends it for good; a login that ran out needs a new one.
    if (stream.readyState !== EventSource.CLOSED) return;
    try {
      const answer = await fetch("/api/version");
      if (answer.status === 401) location.href = "/login";
    } catch { /* nobody there yet; the timer tries again */ }
  };
}

document.getElementById("window").addEventListener("change", listen);
setInterval(() => {
  if (Date.now() - heard > SILENT_MS || stream.readyState === EventSource.CLOSED) {
    strip.lose();
    heard = Date.now();
    listen();
  }
}, 3_000);
listen();
showEvidence();
setInterval(() => { if (!document.hidden) showEvidence(); }, 60_000);
