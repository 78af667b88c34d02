// The tape: each liquidation as it comes, the newest first.
import { h, into } from "./dom.js";
import { clock, counted, price, sideText, usd, venueInCell } from "./format.js";
import { Table } from "./table.js";

// So many lines are drawn at most, of those that are large enough.
const SHOWN = 200;

export class Tape {
  constructor() {
    this.items = null;
    this.minimum = document.getElementById("minimum");
    this.table = new Table(into("tape"), {
      label: "Live liquidations", missing: () => this.nothing(), key: (row) => row.id,
      columns: [
        { name: "time", title: "Time", cell: (row) => clock(row.ms) },
        { name: "pair", title: "Pair", cell: (row) => row.pair.split("/")[0] },
        { name: "side", title: "Liquidated", tight: true, cell: (row) => h("span", { class: row.side }, sideText(row.side)) },
        { name: "usd", title: "Size", num: true, cell: (row) => usd(row.usd) },
        { name: "price", title: "Price", num: true, cell: (row) => price(row.price) },
        { name: "venue", title: "Venue", tight: true, cell: (row) => venueInCell(row.venue) },
      ],
    });
    this.minimum.addEventListener("change", () => this.draw());
  }

  nothing() {
    if (!this.items.length) return "No liquidation was heard in the hour before the sidecar's start, nor since.";
    return `None of the latest ${counted(this.items.length, "liquidation")} is that large.`;
  }

  // kept: by the sidecar, so whoever comes later is shown as many
  take({ kept, rows }) {
    // After a restart of the sidecar its numbers begin anew.
    if (rows.length && this.items?.length && rows[0].id <= this.items[0].id) this.items = [];
    this.items = [...rows.reverse(), ...(this.items ?? [])].slice(0, kept);
    this.draw();
  }

  draw() {
    if (!this.items) return;
    const least = Number(this.minimum.value);
    this.table.show(this.items.filter((item) => item.usd >= least).slice(0, SHOWN));
  }
}
