// Elements from data. Children are text nodes or elements, never markup, so nothing that a
// headline, a model or an exchange says can become more than text.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "width") element.style.width = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export const into = (name) => document.querySelector(`[data-into="${name}"]`);

export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.filter((pair) => pair[1] !== null && pair[1] !== undefined).map(([name, value]) => [
      h("dt", {}, name),
      h("dd", {}, typeof value === "number" ? String(value) : value),
    ]),
  );
}

export const empty = (text) => h("p", { class: "empty" }, text);
