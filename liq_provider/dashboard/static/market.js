// The market table.
import { h, into } from "./dom.js";
import { counted, directionText, knownShare, number, share, soon, usd, venueInCell, venueName } from "./format.js";
import { Table } from "./table.js";

// A venue and its sums are not torn apart.
const byVenue = (row) => Object.entries(row.venues).map(([name, [long, short]], index, all) => {
  const said = `${venueInCell(name)} ${usd(long)} / ${usd(short)}${row.left_out.includes(name) ? " (not in z)" : ""}`;
  return [h("span", { class: "whole" }, said + (index < all.length - 1 ? "," : "")), " "];
});

export class Market {
  constructor(openPair) {
    this.largest = 1;
    this.known = {};
    this.table = new Table(into("market"), {
      label: "Liquidations by coin", broad: true, missing: (rows) => this.nothing(rows),
      key: (row) => row.coin, sort: { name: "total", down: true },
      columns: [
        { name: "coin", title: "Coin", value: (row) => row.coin, cell: (row) => h("button", { type: "button", class: "link", onclick: () => openPair(row.pair) }, row.coin) },
        { name: "bar", title: "Longs | shorts", cell: (row) => this.bar(row) },
        { name: "long", title: "▼ Longs", num: true, value: (row) => row.long, cell: (row) => h("span", { class: "long" }, usd(row.long)) },
        { name: "short", title: "▲ Shorts", num: true, value: (row) => row.short, cell: (row) => h("span", { class: "short" }, usd(row.short)) },
        { name: "total", title: "Total", num: true, value: (row) => row.long + row.short, cell: (row) => usd(row.long + row.short) },
        { name: "z", title: "z", num: true, value: (row) => row.z, cell: (row) => number(row.z) },
        { name: "robust", title: "Robust z", num: true, value: (row) => row.robust_z, cell: (row) => number(row.robust_z) },
        { name: "percentile", title: "Larger than", num: true, value: (row) => row.percentile, cell: (row) => (typeof row.percentile === "number" ? `${number(100 * row.percentile)}% of its baseline` : "–") },
        { name: "purity", title: "Purity", num: true, value: (row) => row.purity, cell: (row) => (row.purity === null || !row.count ? "–" : `${share(row.purity)} of ${row.count}`) },
        { name: "wave", title: "Wave", tight: true, value: (row) => (row.wave ? row.z : null), cell: (row) => (row.wave ? h("b", {}, `${row.wave.strength} ${directionText(row.wave.direction)}${row.wave.seen ? "" : ", beginning not seen"}`) : "") },
        { name: "ready", title: "Readiness", tight: true, value: (row) => row.ready, cell: (row) => row.ready + (row.left_out.length ? `, z without ${row.left_out.map(venueInCell).join(", ")}` : "") + (row.running ? ", running" : "") },
        { name: "venues", title: "By venue (longs / shorts)", wide: true, cell: (row) => byVenue(row) },
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

  // Why there is no row: a filter, a window in which nobody listened, or none.
  nothing(rows) {
    if (rows.length) return `None of the ${counted(rows.length, "coin")} of this window matches the filter.`;
    const shares = Object.values(this.known);
    if (!shares.some((one) => one > 0)) return "Not known: no feed was heard in this window.";
    if (shares.every((one) => one === 1)) return "No liquidation was heard in this window, though all feeds were; sampled feeds do not send all.";
    return "No liquidation was heard in what is known of this window; the rest is unknown, not zero.";
  }

  // What the sums are of; of minutes that nobody heard nothing is known.
  caption(found) {
    if (!found.rows) return "";
    const known = Object.entries(found.known).map(([name, value]) => `${venueName(name)} ${knownShare(value)}`);
    const heard = known.length ? `feeds were heard for ${known.join(", ")} of it` : "nothing of it is settled yet";
    const partly = found.rows.filter((row) => row.left_out.length).length;
    return `${soon(found.from_ms, found.to_ms)} to now; ${heard}${partly ? `; z is without a venue for ${counted(partly, "coin")}` : ""}`;
  }

  show(found) {
    this.known = found.known ?? {};
    document.getElementById("known").textContent = this.caption(found);
    if (!found.rows) {
      this.table.show(null);
      return;
    }
    const rows = found.rows;
    const largest = Math.max(1, ...rows.map((row) => Math.max(row.long, row.short)));
    // Bars are drawn anew only when the scale moved visibly.
    if (Math.abs(largest / this.largest - 1) > 0.05) {
      this.largest = largest;
      this.table.redraw();
    }
    this.table.show(rows);
    document.getElementById("pairs").replaceChildren(...rows.map((row) => h("option", { value: row.pair })));
  }
}
