// What every part of the page uses: elements, the embedded data, the records behind a number, settings and colours.
const page = JSON.parse(document.getElementById("page").textContent);

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const embedded = (id) => JSON.parse(document.getElementById(id).textContent);

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : value.toFixed(digits);
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// The dialog that says where a number comes from.
function showSources(numbers) {
  const dialog = document.getElementById("sources");
  const items = numbers.map((at) => {
    const cell = page.cells[at];
    const copy = make("button", { type: "button", class: "cells", onclick: () => navigator.clipboard?.writeText(cell.command) }, "copy");
    return make("div", { class: "source" },
      make("b", {}, `${cell.interpreter}, ${cell.probe}`), ` on ${cell.data}, ${cell.classifier}, seed ${cell.seed} `,
      ...cell.flags.map(([name, meaning]) => make("span", { class: "tag flag", title: meaning }, `flag: ${name}`)),
      make("code", { tabindex: 0 }, cell.command), copy, " ",
      make("a", { href: cell.href }, cell.name),
      make("small", {}, ` hash ${cell.hash} · n ${cell.n} · ${cell.seconds} s on ${cell.device} · commit ${cell.commit}`));
  });
  dialog.replaceChildren(
    make("div", { class: "head" }, make("h3", {}, `${plural(numbers.length, "record")} behind this number`), closeButton(dialog)),
    make("p", { class: "muted" }, "The hash is of everything that the result depends on; the command computes the cell again, or finds it done."),
    ...items);
  dialog.showModal();
}

const closeButton = (dialog) => make("button", { type: "button", onclick: () => dialog.close() }, "Close");

function sourcesButton(numbers) {
  if (!numbers || !numbers.length) return "";
  return make("button", { type: "button", class: "cells", onclick: () => showSources(numbers) }, plural(numbers.length, "cell"));
}

// Parts of one setting are shown together; what is costly is drawn when its setting is first shown.
const whenShown = [];
function showSetting(place) {
  for (const part of document.querySelectorAll(".setting")) part.hidden = part.dataset.setting !== String(place);
  for (const draw of whenShown) draw();
}

function startTheme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
}
