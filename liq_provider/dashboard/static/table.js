// A table that is updated in place: rows keep their identity, so focus and scrolling survive.
import { h } from "./dom.js";

const sortValue = (value) => (value === null || value === undefined ? -Infinity : value);

export class Table {
  // columns: {name, title, value(row), cell(row) -> text or element, num, wide, long, tight}
  // broad: it has no room on a tablet either, so its rows are stacked there, too
  // missing: what is said when there is no row, or a function of the rows that a filter hides
  constructor(place, { columns, key, missing, sort = null, label, rowClass = null, broad = false }) {
    this.columns = columns;
    this.key = key;
    this.missing = missing;
    this.sort = sort;
    this.rowClass = rowClass;
    this.rows = null;
    this.aside = "";
    this.filter = () => true;
    this.known = new Map();
    this.headers = columns.map((column) => this.header(column));
    this.body = h("tbody");
    // Nothing is known before it was read, which is another thing than nothing.
    this.note = h("p", { class: "empty", "aria-live": "polite" }, "Not loaded yet.");
    this.element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      h("table", { class: broad ? "stack broad" : "stack" }, h("thead", {}, h("tr", {}, this.headers)), this.body), this.note);
    place.replaceChildren(this.element);
    this.mark();
  }

  header(column) {
    const attributes = { scope: "col", class: column.num ? "num" : "" };
    if (!column.value) return h("th", attributes, column.title);
    return h("th", attributes, h("button", { type: "button", onclick: () => this.sortBy(column.name) }, column.title));
  }

  sortBy(name) {
    const down = this.sort?.name === name ? !this.sort.down : true;
    this.sort = { name, down };
    this.mark();
    this.draw();
  }

  mark() {
    this.columns.forEach((column, index) => {
      const header = this.headers[index];
      if (this.sort?.name === column.name) header.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    });
  }

  // aside: said below the rows, such as that there are more
  show(rows, aside = "") {
    this.rows = rows;
    this.aside = aside;
    this.draw();
  }

  // Cells may say something else now although their rows are the same.
  redraw() {
    for (const line of this.known.values()) line.text = "";
    this.draw();
  }

  say(rows) {
    if (this.rows === null) return "Not loaded yet.";
    if (rows.length) return this.aside;
    return typeof this.missing === "function" ? this.missing(this.rows) : this.missing;
  }

  draw() {
    let rows = (this.rows ?? []).filter(this.filter);
    if (this.sort) {
      const column = this.columns.find((item) => item.name === this.sort.name);
      const turn = this.sort.down ? -1 : 1;
      rows = [...rows].sort((a, b) => {
        const [x, y] = [sortValue(column.value(a)), sortValue(column.value(b))];
        return x < y ? -turn : x > y ? turn : 0;
      });
    }
    const wanted = new Set();
    let place = this.body.firstElementChild;
    for (const row of rows) {
      const key = String(this.key(row));
      if (wanted.has(key)) continue;
      wanted.add(key);
      const line = this.line(key, row);
      if (line === place) place = place.nextElementSibling;
      else this.body.insertBefore(line, place);
    }
    for (const [key, line] of this.known) {
      if (!wanted.has(key)) {
        line.element.remove();
        this.known.delete(key);
      }
    }
    const said = this.say(rows);
    if (this.note.textContent !== said) this.note.textContent = said;
    this.note.hidden = !said;
  }

  line(key, row) {
    const text = JSON.stringify(row);
    const known = this.known.get(key);
    if (known?.text === text) return known.element;
    const element = known?.element ?? h("tr", { class: "fresh" });
    if (this.rowClass) element.classList.add(...[this.rowClass(row)].filter(Boolean));
    const focused = known && element.contains(document.activeElement);
    element.replaceChildren(...this.columns.map((column) => {
      const content = column.cell(row);
      const kind = [column.num && "num", column.wide && "wide", column.long && "long-text", column.tight && "tight", (content === "" || content === null) && "blank"];
      return h("td", { class: kind.filter(Boolean).join(" "), "data-label": column.title }, content ?? "");
    }));
    if (focused) element.querySelector("button")?.focus();
    this.known.set(key, { element, text });
    return element;
  }
}
