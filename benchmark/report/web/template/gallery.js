// Single samples: found by words, drawn when they come into view.
const VIEWS = [["image", 0, "input"], ["image", 1, "perturbed"], ["difference", 1, "difference"], ["overlay", 0, "benign map"], ["overlay", 1, "its map"]];
const BATCH = 48;

function allEntries() {
  return page.gallery.flatMap((sheetAt) => page.sheets[sheetAt].rows.map((_, at) => {
    const cell = page.cells[page.sheets[sheetAt].cell], facts = factsOf(sheetAt, at);
    const words = [classWord(cell, facts.label), classWord(cell, facts.before), classWord(cell, facts.after), facts.sample, cell.data, cell.classifier, `seed ${cell.seed}`];
    return { sheetAt, at, cell, facts, words: ` ${words.join(" · ")} `.toLowerCase() };
  }));
}

const OUTCOMES = {
  success: (facts) => facts.success,
  failure: (facts) => !facts.success,
  joint: (facts) => facts.success && facts.benign === 1,
  seen: (facts) => facts.success && facts.benign === 0,
  empty: (facts) => facts.empty > 0,
};
const ORDERS = {
  id: (one, two) => one.facts.sample - two.facts.sample,
  far: (one, two) => (two.facts.l1 ?? -1) - (one.facts.l1 ?? -1),
  near: (one, two) => (one.facts.l1 ?? 9) - (two.facts.l1 ?? 9),
};

function sampleCard(entry, seen) {
  const { cell, facts, sheetAt, at } = entry;
  const gain = page.sheets[sheetAt].gain;
  const canvases = VIEWS.map(() => make("canvas", { width: 1, height: 1 }));
  const card = make("button", { type: "button", class: "card", onclick: () => showSample(entry) },
    make("div", { class: "heading5", "aria-hidden": "true" }, ...VIEWS.map(([view, , word]) => make("span", {}, view === "difference" ? `× ${gain}` : word))),
    make("div", { class: "strip" }, ...canvases),
    make("p", {}, make("b", {}, change(cell, facts)), ` · L1 ${number(facts.l1)}`, make("br"),
      make("small", {}, `${cell.interpreter}, ${cell.probe}, ${cell.classifier}, seed ${cell.seed}`), make("br"), make("small", {}, outcome(cell, facts))));
  seen.observe(card);
  card.draw = async () => {
    const data = await tileData(sheetAt, at);
    canvases.forEach((canvas, place) => paint(canvas, data, VIEWS[place][0], VIEWS[place][1]));
  };
  return card;
}

async function showSample({ cell, facts, sheetAt, at }) {
  const dialog = document.getElementById("sample");
  const gain = page.sheets[sheetAt].gain;
  const data = await tileData(sheetAt, at);
  const canvases = ["image", "overlay", "map", "difference"].map((view) => [view, make("canvas", { role: "img", "aria-label": view })]);
  const slider = make("input", { type: "range", min: 0, max: 100, value: 100, "aria-label": "From the benign to the perturbed input" });
  const draw = () => { for (const [view, canvas] of canvases) paintLarge(canvas, data, view, slider.value / 100); };
  slider.addEventListener("input", draw);
  const facts_ = [
    ["sample", facts.sample], ["true class", classWord(cell, facts.label)],
    ["prediction", `${classWord(cell, facts.before)} (${number(facts.sure)}) → ${classWord(cell, facts.after)} (${number(facts.unsure)})`],
    ["goal", facts.goal === null || facts.goal < 0 ? "none" : classWord(cell, facts.goal)], ["outcome", outcome(cell, facts)],
    ["map L1", `${number(facts.l1)}, benign spread ${number(cell.spread)}`], ["map IoU", number(facts.iou)],
  ];
  const names = { image: "input", overlay: "map over input", map: "map", difference: `difference × ${gain}` };
  dialog.replaceChildren(
    make("div", { class: "head" }, make("h3", {}, `${cell.interpreter}, ${cell.probe}`), closeButton(dialog)),
    make("div", { class: "bar" }, make("label", {}, "benign ", slider, " perturbed")),
    make("div", { class: "large" }, ...canvases.map(([view, canvas]) => make("figure", {}, canvas, make("figcaption", {}, names[view])))),
    make("dl", {}, ...facts_.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])),
    make("p", {}, sourcesButton([page.sheets[sheetAt].cell])));
  draw();
  dialog.showModal();
}

function startGallery() {
  const form = document.getElementById("filters");
  if (!form) return;
  const cards = document.getElementById("cards"), more = document.getElementById("more"), found = document.getElementById("found");
  const seen = new IntersectionObserver((changes) => {
    for (const change of changes) if (change.isIntersecting) { seen.unobserve(change.target); change.target.draw(); }
  }, { rootMargin: "300px" });
  let entries = null, chosen = [], shown = 0;
  const add = () => {
    cards.append(...chosen.slice(shown, shown + BATCH).map((entry) => sampleCard(entry, seen)));
    shown = Math.min(shown + BATCH, chosen.length);
    more.replaceChildren(...(shown < chosen.length ? [make("button", { type: "button", onclick: add }, `Show more (${chosen.length - shown} left)`)] : []));
  };
  const search = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const text = wanted.text.trim().toLowerCase();
    const fits = OUTCOMES[wanted.outcome] || (() => true);
    chosen = entries.filter(({ cell, facts, words: said }) => (!wanted.interpreter || cell.interpreter === wanted.interpreter)
      && (!wanted.probe || cell.probe === wanted.probe) && fits(facts) && said.includes(text));
    chosen.sort(ORDERS[wanted.order]);
    shown = 0;
    cards.replaceChildren();
    found.textContent = `${chosen.length} of ${plural(entries.length, "sample")}`;
    add();
  };
  const start = () => {
    if (entries) return;
    entries = allEntries();
    for (const name of ["interpreter", "probe"]) {
      const values = [...new Set(entries.map(({ cell }) => cell[name]))];
      form.elements[name].append(make("option", { value: "" }, "any"), ...values.map((value) => make("option", { value }, value)));
    }
    search();
  };
  form.addEventListener("input", () => { start(); search(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  new IntersectionObserver((changes, observer) => {
    if (changes.some((change) => change.isIntersecting)) { observer.disconnect(); start(); }
  }, { rootMargin: "600px" }).observe(document.getElementById("gallery"));
}
