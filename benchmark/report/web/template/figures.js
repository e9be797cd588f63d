// Figures 15 and 16: rows of probes, columns of interpreters, one sample at a time, every picture at the same place
// between benign and perturbed.
const state = { view: "overlay", share: 1 };
const tiles = new Set();

function largeTile(sheetAt, at, caption) {
  const cell = page.cells[page.sheets[sheetAt].cell], facts = factsOf(sheetAt, at);
  const label = `${cell.interpreter}, ${cell.probe}: ${classWord(cell, facts.before)} to ${classWord(cell, facts.after)}, map L1 ${number(facts.l1)}`;
  const canvas = make("canvas", { role: "img", "aria-label": label, tabindex: 0 });
  const tile = { canvas, other: false, draw: async () => {
    const share = tile.other ? (state.share > 0.5 ? 0 : 1) : state.share;
    paintLarge(canvas, await once(`t${sheetAt}-${at}`, () => tileData(sheetAt, at)), state.view, share);
  } };
  const flip = (on) => () => { tile.other = on; tile.draw(); };
  for (const [name, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) canvas.addEventListener(name, flip(on));
  return [tile, make("div", { class: "tile" }, canvas, make("p", {}, ...caption(cell, facts)))];
}

function drawFigure(article, figure) {
  const choice = article.querySelector(".choice"), grid = article.querySelector(".grid");
  const count = Math.max(...figure.rows.map((row) => row.n));
  grid.style.setProperty("--columns", figure.columns.length);
  let own = [];
  const show = (sample) => {
    for (const tile of own) tiles.delete(tile);
    own = [];
    const parts = [make("span", { class: "corner" }), ...figure.columns.map((name) => make("span", { class: "column" }, name))];
    for (const row of figure.rows) {
      parts.push(make("span", { class: "row" }, row.label));
      row.sheets.forEach((sheetAt, column) => {
        const rows = sheetAt === null ? [] : page.sheets[sheetAt].rows;
        if (!rows.length) { parts.push(make("span", { class: "muted" }, "not kept")); return; }
        const at = Math.min(sample, rows.length - 1);
        const [tile, element] = largeTile(sheetAt, at, (cell, facts) => [
          `${change(cell, facts)}`, make("br"), make("b", {}, `L1 ${number(facts.l1)}`),
          make("small", {}, ` median ${number(row.medians[column])}, spread ${number(cell.spread)}`), make("br"), make("small", {}, outcome(cell, facts))]);
        own.push(tile);
        parts.push(element);
      });
    }
    grid.replaceChildren(...parts);
    for (const tile of own) { tiles.add(tile); tile.draw(); }
  };
  const buttons = Array.from({ length: count }, (_, sample) => make("button", { type: "button", "aria-pressed": sample === 0, onclick: () => {
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", place === sample));
    show(sample);
  } }, `sample ${sample + 1}`));
  for (const button of buttons) button.setAttribute("aria-pressed", button === buttons[0]);
  choice.append(...buttons);
  show(0);
}

function startFigures() {
  const bar = document.getElementById("view");
  if (!bar) return;
  const redraw = () => { for (const tile of tiles) tile.draw(); };
  for (const button of bar.children) {
    button.addEventListener("click", () => {
      state.view = button.dataset.view;
      for (const other of bar.children) other.setAttribute("aria-pressed", other === button);
      redraw();
    });
  }
  document.getElementById("share").addEventListener("input", (event) => { state.share = event.target.value / 100; redraw(); });
  const scale = document.getElementById("scale").getContext("2d");
  for (let x = 0; x < 256; x++) { scale.fillStyle = `rgb(${colour(x).join(",")})`; scale.fillRect(x, 0, 1, 1); }
  for (const part of document.querySelectorAll("#figures .setting")) {
    let done = false;
    whenShown.push(() => {
      if (done || part.hidden) return;
      done = true;
      for (const article of part.querySelectorAll(".example")) drawFigure(article, page.figures[part.dataset.setting][article.dataset.figure]);
    });
  }
}
