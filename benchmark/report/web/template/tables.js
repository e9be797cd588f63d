// Tables from embedded numbers: sorted by a press on a heading, filtered by a word, intervals drawn in the cell.
const isEstimate = (entry) => Array.isArray(entry);
const sortKey = (entry) => (isEstimate(entry) ? entry[0] : entry);

function compare(one, two) {
  const a = sortKey(one), b = sortKey(two);
  if (a === null || a === "–") return b === null || b === "–" ? 0 : 1; // what is missing comes last
  if (b === null || b === "–") return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

// The scale of a column's bars. Rows of unlike claims, objectives or metrics have scales of their own.
function scales(table) {
  const groups = table.columns.map((name, at) => (["claim", "objective", "metric"].includes(name) ? at : -1)).filter((at) => at >= 0);
  const groupOf = (row) => groups.map((at) => row[at]).join("|");
  const found = new Map();
  for (const row of table.rows) {
    row.forEach((entry, column) => {
      if (!isEstimate(entry)) return;
      const key = `${groupOf(row)}#${column}`;
      const ends = found.get(key) || [Infinity, -Infinity];
      for (const end of entry.slice(0, 3)) if (end !== null) { ends[0] = Math.min(ends[0], end); ends[1] = Math.max(ends[1], end); }
      found.set(key, ends);
    });
  }
  return (row, column) => {
    const [low, high] = found.get(`${groupOf(row)}#${column}`);
    const from = low > 0 && low < 0.5 * high ? 0 : Math.min(low, high > 0 ? low : 0);
    const room = (high - from || 1) * 0.04;
    return [from - room, high + room];
  };
}

function intervalBar([value, low, high], [from, to]) {
  const at = (x) => `${(100 * (x - from) / (to - from)).toFixed(1)}%`;
  const bar = make("span", { class: "ci", "aria-hidden": "true" });
  if (from < 0 && to > 0) bar.append(make("u", { style: `left:${at(0)}` }));
  if (low !== null && high !== null) bar.append(make("i", { style: `left:${at(low)};width:${(100 * (high - low) / (to - from)).toFixed(1)}%` }));
  bar.append(make("b", { style: `left:${at(value)}` }));
  return bar;
}

// A field. ``about`` has its place on a phone, where a row is a card: the leading words are its title.
function tableCell(entry, scale, about) {
  if (!isEstimate(entry)) {
    const text = typeof entry === "string" ? entry : number(entry);
    const shape = typeof entry === "number" ? "num" : text.length > 60 ? "wide" : "short";
    return make("td", { ...about, class: `${shape} ${about.class}` }, text);
  }
  const [value, low, high, size, shares] = entry;
  const interval = low === null ? null : make("small", {}, `[${number(low)}, ${number(high)}]`);
  const title = [size && `n ${size}`, shares && `variance ${shares} % between trainings, between sources, neither alone`].filter(Boolean).join("; ");
  return make("td", { ...about, class: "num estimate", title: title || null }, number(value), intervalBar(entry, scale), interval,
    size ? make("small", {}, size.replace(/, \d+ trainings?$/, "")) : null);
}

// Of every column its class and label: those before the first number or estimate say what a row is about.
function columnsAbout(table) {
  const measured = table.columns.findIndex((_, at) => table.rows.some((row) => typeof row[at] === "number" || isEstimate(row[at])));
  const leading = measured < 0 ? table.columns.length : measured;
  return table.columns.map((name, at) => ({
    role: "cell", "data-label": name || "#", class: at >= leading ? "" : at === leading - 1 ? "lead last" : "lead",
  }));
}

function drawTable(table) {
  const scaleOf = scales(table);
  const about = columnsAbout(table);
  const order = table.rows.map((_, at) => at);
  const said = table.rows.map((row) => row.filter((entry) => typeof entry === "string").join(" ").toLowerCase());
  const body = make("tbody", { role: "rowgroup" });
  const hasCells = table.cells.some((numbers) => numbers.length);
  const drawn = new Map();
  const rowOf = (at) => {
    if (!drawn.has(at)) {
      const row = table.rows[at];
      const fields = row.map((entry, column) => tableCell(entry, isEstimate(entry) ? scaleOf(row, column) : null, about[column]));
      if (hasCells) fields.push(make("td", { role: "cell", class: "from" }, sourcesButton(table.cells[at])));
      drawn.set(at, make("tr", { role: "row" }, ...fields));
    }
    return drawn.get(at);
  };
  const search = make("input", { type: "search", placeholder: "filter", "aria-label": `Filter: ${table.title}` });
  const shown = make("small", { role: "status" });
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = order.filter((at) => words.every((word) => said[at].includes(word)));
    body.replaceChildren(...kept.map(rowOf));
    shown.textContent = kept.length === order.length ? plural(order.length, "row") : `${kept.length} of ${plural(order.length, "row")}`;
  };
  const headings = table.columns.map((name, column) => {
    const heading = make("th", { scope: "col", role: "columnheader" });
    heading.append(make("button", { type: "button", onclick: () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      order.sort((one, two) => (down ? -1 : 1) * compare(table.rows[one][column], table.rows[two][column]) || one - two);
      show();
    } }, name || "#"));
    return heading;
  });
  search.addEventListener("input", show);
  show();
  const files = table.file ? make("small", {}, " ", make("a", { href: `${table.file}.csv` }, "CSV"), " ", make("a", { href: `${table.file}.tex` }, "LaTeX")) : null;
  return [
    make("div", { class: "head" }, make("span", {}, search, " ", shown), files),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": table.title },
      make("table", { role: "table" }, make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...headings,
        hasCells ? make("th", { scope: "col", role: "columnheader", class: "from" }, "from") : null)), body)),
    make("p", { class: "muted" }, make("small", {}, table.caption)),
  ];
}

function tableBlock(table) {
  const block = make("div", { class: "table", "data-table": table.name });
  if (!table.folded) {
    block.append(make("h3", {}, table.title), ...drawTable(table));
    return block;
  }
  const details = make("details", { ontoggle: () => {
    if (details.open && details.childElementCount === 1) details.append(...drawTable(table));
  } }, make("summary", {}, make("b", {}, table.title)));
  block.append(details);
  return block;
}

function startTables() {
  for (const place of document.querySelectorAll("[data-tables]")) {
    let done = false;
    whenShown.push(() => {
      if (done || place.hidden) return;
      done = true;
      place.append(...embedded(place.dataset.tables).map(tableBlock));
    });
  }
  for (const field of document.querySelectorAll("[data-cells]")) {
    field.addEventListener("click", () => showSources([Number(field.dataset.cells)]));
  }
}
