// The market table and the tape.
import { h, into } from "./dom.js";
import { clock, directionText, number, price, share, sideText, usd } from "./format.js";
import { Table } from "./table.js";

const KEPT = 200;

export class Market {
  constructor(openPair) {
    this.largest = 1;
    this.table = new Table(into("market"), {
      label: "Liquidations by coin", missing: "Nothing was liquidated in this window, as far as is known.",
      key: (row) => row.coin, sort: { name: "total", down: true },
      columns: [
        { name: "coin", title: "Coin", value: (row) => row.coin, cell: (row) => h("button", { type: "button", class: "link", onclick: () => openPair(row.pair) }, row.coin) },
        { name: "bar", title: "Longs | shorts", cell: (row) => this.bar(row) },
        { name: "long", title: "▼ Longs", num: true, value: (row) => row.long, cell: (row) => h("span", { class: "long" }, usd(row.long)) },
        { name: "short", title: "▲ Shorts", num: true, value: (row) => row.short, cell: (row) => h("span", { class: "short" }, usd(row.short)) },
        { name: "total", title: "Total", num: true, value: (row) => row.long + row.short, cell: (row) => usd(row.long + row.short) },
        { name: "z", title: "z", num: true, value: (row) => row.z, cell: (row) => number(row.z) },
        { name: "robust", title: "Robust z", num: true, value: (row) => row.robust_z, cell: (row) => number(row.robust_z) },
        { name: "purity", title: "Purity", num: true, value: (row) => row.purity, cell: (row) => (row.purity === null || !row.count ? "–" : `${share(row.purity)} of ${row.count}`) },
        { name: "wave", title: "Wave", tight: true, value: (row) => (row.wave ? row.z : null), cell: (row) => (row.wave ? h("b", {}, `${row.wave.strength} ${directionText(row.wave.direction)}`) : "") },
        { name: "ready", title: "Readiness", tight: true, value: (row) => row.ready, cell: (row) => row.ready + (row.running ? ", running" : "") },
        { name: "venues", title: "By venue (longs / shorts)", wide: true, cell: (row) => Object.entries(row.venues).map(([name, [long, short]]) => `${name} ${usd(long)} / ${usd(short)}`).join(", ") },
      ],
    });
    const filter = document.getElementById("filter");
    filter.addEventListener("input", () => {
      const text = filter.value.trim().toLowerCase();
      this.table.filter = (row) => !text || `${row.coin} ${row.pair} ${row.ready} ${row.wave ? "wave" : ""}`.toLowerCase().includes(text);
      this.table.draw();
    });
  }

  bar(row) {
    const width = (value) => `${Math.min(100, 100 * Math.sqrt(value / this.largest)).toFixed(1)}%`;
    return h("div", { class: "diverge", role: "img", "aria-label": `longs ${usd(row.long)}, shorts ${usd(row.short)}` },
      h("span", { class: "left", width: width(row.long) }), h("span", { class: "right", width: width(row.short) }));
  }

  show(rows) {
    const largest = Math.max(1, ...rows.map((row) => Math.max(row.long, row.short)));
    // Bars are drawn anew only when the scale moved visibly.
    if (Math.abs(largest / this.largest - 1) > 0.05) {
      this.largest = largest;
      for (const line of this.table.known.values()) line.text = "";
    }
    this.table.show(rows);
    document.getElementById("pairs").replaceChildren(...rows.map((row) => h("option", { value: row.pair })));
  }
}

export class Tape {
  constructor() {
    this.items = [];
    this.minimum = document.getElementById("minimum");
    this.table = new Table(into("tape"), {
      label: "Live liquidations", missing: "No liquidation of this size yet.", key: (row) => row.id,
      columns: [
        { name: "time", title: "Time", cell: (row) => clock(row.ms) },
        { name: "pair", title: "Pair", cell: (row) => row.pair.split("/")[0] },
        { name: "side", title: "Liquidated", tight: true, cell: (row) => h("span", { class: row.side }, sideText(row.side)) },
        { name: "usd", title: "Size", num: true, cell: (row) => usd(row.usd) },
        { name: "price", title: "Price", num: true, cell: (row) => price(row.price) },
        { name: "venue", title: "Venue", cell: (row) => row.venue },
      ],
    });
    this.minimum.addEventListener("change", () => this.draw());
  }

  take(items) {
    // After a restart of the sidecar its numbers begin anew.
    if (items.length && this.items.length && items[0].id <= this.items[0].id) this.items = [];
    this.items = [...items.reverse(), ...this.items].slice(0, KEPT * 5);
    this.draw();
  }

  draw() {
    const least = Number(this.minimum.value);
    this.table.show(this.items.filter((item) => item.usd >= least).slice(0, KEPT));
  }
}
