// Pictures: a sheet is decoded when one of its tiles comes into view, and a tile is drawn for any place between the
// benign and the perturbed input. The perturbed input is the benign one plus the difference.
const FACTS = ["original", "empty", "sample", "label", "before", "after", "goal", "success", "benign", "l1", "iou", "sure", "unsure"];

function decoded(id, kind) {
  const text = document.getElementById(id).textContent;
  const image = new Image();
  image.src = `data:image/${kind};base64,${text}`;
  return image.decode().then(() => {
    const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context;
  });
}

const cache = new Map();
function once(key, work) {
  if (!cache.has(key)) cache.set(key, work());
  return cache.get(key);
}
const originalSheet = (at) => page.originals.findIndex((sheet) => at >= sheet.start && at < sheet.start + sheet.n);

async function tileData(sheetAt, at) {
  const sheet = page.sheets[sheetAt];
  const [width, height] = sheet.size, [mapWidth, mapHeight] = sheet.map;
  const original = sheet.rows[at][0];
  const place = originalSheet(original);
  const [benign, difference, maps, masks] = await Promise.all([
    once(`o${place}`, () => decoded(`original-${place}`, "webp")),
    once(`d${sheetAt}`, () => decoded(`difference-${sheetAt}`, "webp")),
    once(`m${sheetAt}`, () => decoded(`map-${sheetAt}`, "png")),
    page.originals[place].masked ? once(`k${place}`, () => decoded(`mask-${place}`, "png")) : null,
  ]);
  const first = original - page.originals[place].start;
  return {
    width, height, mapWidth, mapHeight, gain: sheet.gain,
    benign: benign.getImageData(first * width, 0, width, height).data,
    difference: difference.getImageData(at * width, 0, width, height).data,
    before: maps.getImageData(at * mapWidth, 0, mapWidth, mapHeight).data,
    mask: masks && masks.getImageData(first * width, 0, width, height).data,
    after: maps.getImageData(at * mapWidth, mapHeight, mapWidth, mapHeight).data,
  };
}

function colour(value) {
  const at = 3 * Math.max(0, Math.min(255, Math.round(value)));
  return [page.colours[at], page.colours[at + 1], page.colours[at + 2]];
}

// The outline of the object, between the pixels that the mask tells apart: white on black, to be seen on any ground.
function outline(context, mask, width, height, scale) {
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[4 * (y * width + x)] > 127;
  context.beginPath();
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      if (inside(x, y) !== inside(x - 1, y)) { context.moveTo(x * scale, y * scale); context.lineTo(x * scale, (y + 1) * scale); }
      if (inside(x, y) !== inside(x, y - 1)) { context.moveTo(x * scale, y * scale); context.lineTo((x + 1) * scale, y * scale); }
    }
  }
  for (const [style, wide] of [["#000", 7], ["#fff", 3.4]]) { context.strokeStyle = style; context.lineWidth = wide; context.stroke(); }
}

// The same, large enough for the object's outline.
function paintLarge(canvas, data, view, share) {
  const small = make("canvas");
  paint(small, data, view, share);
  const scale = Math.max(1, Math.ceil(640 / Math.max(data.width, data.height)));
  canvas.width = data.width * scale; canvas.height = data.height * scale;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  if (data.mask && view !== "difference") outline(context, data.mask, data.width, data.height, scale);
}

// view: image, overlay, map or difference. share: 0 for the benign input, 1 for the perturbed one.
function paint(canvas, data, view, share) {
  const { width, height, mapWidth, mapHeight } = data;
  const own = view === "map" ? [mapWidth, mapHeight] : [width, height];
  canvas.width = own[0]; canvas.height = own[1];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(own[0], own[1]);
  const out = picture.data;
  for (let y = 0; y < own[1]; y++) {
    for (let x = 0; x < own[0]; x++) {
      const at = 4 * (y * own[0] + x);
      const mapAt = 4 * (Math.floor(y * mapHeight / own[1]) * mapWidth + Math.floor(x * mapWidth / own[0]));
      const value = (1 - share) * data.before[mapAt] + share * data.after[mapAt];
      out[at + 3] = 255;
      if (view === "map") {
        [out[at], out[at + 1], out[at + 2]] = colour(value);
      } else if (view === "difference") {
        for (let c = 0; c < 3; c++) out[at + c] = 128 + share * (data.difference[at + c] - 128);
      } else {
        const rgb = [0, 1, 2].map((c) => data.benign[at + c] + share * (data.difference[at + c] - 128) / data.gain);
        if (view === "image") { for (let c = 0; c < 3; c++) out[at + c] = rgb[c]; continue; }
        const grey = 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2];
        const over = colour(value), weight = 0.8 * value / 255;
        for (let c = 0; c < 3; c++) out[at + c] = (1 - weight) * (0.35 * rgb[c] + 0.65 * grey) + weight * over[c];
      }
    }
  }
  context.putImageData(picture, 0, 0);
}

function factsOf(sheetAt, at) {
  return Object.fromEntries(page.sheets[sheetAt].rows[at].map((value, place) => [FACTS[place], value]));
}

// Classes are told by their names where they have any beside their numbers.
const classWord = (cell, index) => (page.classes[cell.classes]?.[index] ?? `class ${index}`);
const change = (cell, facts) => `${classWord(cell, facts.before)} → ${classWord(cell, facts.after).replace(/^class (?=\d+$)/, "")}`;

function outcome(cell, facts) {
  const words = [facts.goal === null || facts.goal < 0 ? (facts.success ? "misclassified" : "still right") : facts.success ? "class reached" : "class not reached"];
  if (facts.success && facts.benign === 1) words.push("map looks benign");
  if (facts.empty) words.push(["", "benign map empty", "perturbed map empty", "both maps empty"][facts.empty]);
  return words.join(", ");
}
