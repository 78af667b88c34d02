// Waves, verdicts, and the whole record of one of them.
import { empty, facts, h, into } from "./dom.js";
import { age, clock, dated, directionClass, directionText, moment, none, share, usd } from "./format.js";
import { Table } from "./table.js";

const direction = (row) => h("span", { class: directionClass(row.direction) }, directionText(row.direction));

// A date is not broken within itself.
const withDate = (ms) => {
  const [day, time] = dated(ms).split(" ");
  return [h("span", { class: "whole" }, day), ` ${time ?? ""}`];
};

export function wavesTable(openPair) {
  return new Table(into("waves"), {
    label: "Waves of the last day", missing: "No wave of the last 24 hours is on record. In minutes that no feed heard there may have been some.",
    key: (row) => `${row.base_asset} ${row.direction} ${row.start_ms}`,
    columns: [
      { name: "time", title: "Since", cell: (row) => withDate(row.start_ms) },
      { name: "pair", title: "Pair", tight: true, cell: (row) => h("button", { type: "button", class: "link", onclick: () => openPair(row.pair) }, row.pair) },
      { name: "direction", title: "Trade", tight: true, cell: direction },
      { name: "strength", title: "Strength", cell: (row) => row.strength },
      { name: "peak", title: "Peak score", cell: (row) => row.peak },
      { name: "usd", title: "Peak segment", num: true, cell: (row) => usd(row.peak_usd) },
      { name: "state", title: "State", wide: true, cell: (row) => (row.settled ? `settled, last ${clock(row.last_ms)}` : "running, not settled") + (row.remark ? `; ${row.remark}` : "") },
    ],
  });
}

export function signalsTable() {
  return new Table(into("signals"), {
    label: "Latest verdicts", broad: true, missing: "No verdict of the last 24 hours is on record.",
    key: (row) => `${row.base_asset} ${row.direction} ${row.wave_start_ms} ${row.available_at}`,
    columns: [
      { name: "time", title: "Time", cell: (row) => withDate(row.available_at) },
      { name: "pair", title: "Pair", tight: true, cell: (row) => h("button", { type: "button", class: "link", "aria-haspopup": "dialog", "aria-label": `${row.symbol} record`, onclick: () => openRecord(row) }, row.symbol) },
      { name: "direction", title: "Trade", tight: true, cell: direction },
      { name: "liq", title: "Liquidations", wide: true, long: true, cell: (row) => row.liq_note },
      { name: "trend", title: "Candles", wide: true, cell: (row) => (row.trend_note.includes("aligned") ? row.trend_note : `${row.trend_note}; aligned: ${row.aligned}`) },
      { name: "news", title: "News", wide: true, cell: (row) => `${row.news.replace("_", " ")}: ${row.news_note}` },
      { name: "action", title: "Decision", cell: (row) => [h("b", { class: row.verb === "enter" ? "good" : "" }, row.verb), row.sure ? ` (${row.sure})` : ""] },
      { name: "reason", title: "What the judge said", wide: true, long: true, cell: (row) => [h("span", { class: "dim" }, `${row.action} (${row.confidence}) by ${row.judge}: `), row.action_reason] },
      { name: "refused", title: "First gate that failed", wide: true, cell: (row) => row.refused_by ?? "none that is known here" },
    ],
  });
}

const dialog = document.getElementById("record");
const body = document.getElementById("recordbody");

export async function openRecord(row) {
  body.replaceChildren(empty("Reading ..."));
  document.getElementById("h-record").textContent = `${row.symbol} ${row.direction}: ${row.words}`;
  dialog.showModal();
  const question = new URLSearchParams({ coin: row.base_asset, direction: row.direction, start: row.wave_start_ms, at: row.available_at });
  try {
    const answer = await fetch(`/api/record?${question}`);
    const found = await answer.json();
    body.replaceChildren(...(answer.ok ? recordParts(found) : [empty(found.error)]));
  } catch {
    body.replaceChildren(empty("The sidecar does not answer."));
  }
}

const passed = (gate) => (gate.passed === null ? h("span", { class: "dim" }, "not reached") : h("b", { class: gate.passed ? "good" : "bad" }, gate.passed ? "passed" : "failed"));

// What only a bot can answer is left out where it did not.
function gatesTable(gates) {
  const shown = gates.filter((gate) => gate.passed !== null || gate.measured !== "not known here");
  const head = ["Gate", "", "Measured", "Needed"].map((title) => h("th", { scope: "col" }, title));
  const line = (gate) => h("tr", {}, [gate.name, passed(gate), gate.measured, gate.needed].map((cell, index) =>
    h("td", { class: index > 1 ? "wide" : "tight", "data-label": ["Gate", "Outcome", "Measured", "Needed"][index] }, cell)));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Gates" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, shown.map(line))));
}

function recordParts(found) {
  const { signal, inputs, call } = found;
  const parts = [
    facts([
      ["Judge", signal.stand_in ? `${signal.judge}: a STAND-IN, not an AI` : signal.judge], ["Available", moment(signal.available_at)], ["Expires", moment(signal.expires_at)],
      ["Minute", moment(signal.close_ms)], ["Wave since", moment(signal.wave_start_ms)],
      ["Liquidations", signal.liq_note], ["Candles", signal.trend_note], ["News", `${signal.news}: ${signal.news_note}`],
      ["The judge said", `${signal.action} (${signal.confidence}): ${signal.action_reason}`], ["First gate that failed", signal.refused_by ?? "none that is known here"],
      ["Score", signal.score ?? none], ["Purity", share(inputs.purity)], ["Segment", `${usd(inputs.notional_usd)} (longs ${usd(inputs.long_usd)}, shorts ${usd(inputs.short_usd)}) in ${inputs.count} liquidations`],
      ["Guard", found.guard.length ? found.guard.join("; ") : "changed nothing"],
    ]),
    h("h3", {}, "Gates, in the order in which they are asked ", h("span", { class: "dim" }, `by the rules of ${found.rules_of}`)),
    gatesTable(found.gates),
    h("h3", {}, "News that the judge was given"),
    found.news?.length ? h("ul", {}, found.news.map((item) => h("li", { class: "said" }, `${item.title} `, h("span", { class: "dim" }, `${item.source}, ${age(60000 * item.age_min)} old`), item.summary ? h("div", { class: "dim" }, item.summary) : null)))
      : empty(found.news ? "None was found." : found.asked && !call ? "Not on record any more." : "News was not asked."),
  ];
  if (call) {
    parts.push(h("h3", {}, signal.stand_in ? "Question to the stand-in, which is no model" : "Question to the model"), facts([
      ["Asked", moment(call.asked_ms)], ["Took", `${call.latency_ms} ms in ${call.requests} request(s)`], ["Outcome", `${call.outcome} ${call.detail}`.trim()],
      ["Tokens", call.prompt_tokens === null ? "not told" : `${call.prompt_tokens} + ${call.answer_tokens}${signal.stand_in ? ", made up by the stand-in" : ""}`], ["Cost", signal.stand_in ? "nothing: no model was asked" : call.cost_usd === null ? "not known: llm.price_in_usd is not set" : `$${call.cost_usd.toFixed(6)}`],
    ]), ...call.prompt.map((text) => h("pre", { tabindex: "0" }, text)), h("h3", {}, "Its answer, as it came"), h("pre", { tabindex: "0" }, call.answer || none));
  } else parts.push(empty(found.asked ? "The question to the model is not on record any more." : "No model was asked about it."));
  return parts;
}
