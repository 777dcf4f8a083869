// The browser's half of components/heads_grid.py: a small picture of every head, larger ones of one layer, and a table
// of what is known of each.
// Runs once when its gr.HTML is made. Choosing a head triggers "submit" with {layer, head}.

const FIRST_ROWS = 24;
const COLUMNS = ["Head", "Entropy", "Distance", "Special", "Diagonality", "Agreement"];
const REST = "Point at a head, or move to one with Tab and the arrow keys. Click or press Enter to choose it. ";
const REST_OF_ALL = REST + "The number of a layer shows its heads larger.";
const REST_OF_ONE = REST + "Escape leads back to all layers.";

element.innerHTML = `
  <p class="hg-says" role="status"></p>
  <div class="hg-pictures">
    <div class="hg-scroll">
      <table class="hg-grid" aria-label="Heads: a row for each layer"><thead></thead><tbody></tbody></table>
    </div>
    <div class="hg-bar" role="group" aria-label="Layers"></div>
    <div class="hg-large" role="group"></div>
  </div>
  <div class="hg-scroll">
    <table class="hg-facts" aria-label="What is known of each head"><thead><tr></tr></thead><tbody></tbody></table>
  </div>
  <button type="button" class="hg-all"></button>
  <p class="hg-help">
    Entropy: 0% looks at one token, 100% at all evenly. Distance: how far away it looks, as a share of the text.
    Special: its attention on tokens that stand for no text. Diagonality: +1 looks where it stands, −1 the other way
    round. Agreement: with the gradients of the output, by rank; – where it was not computed.
  </p>`;
const part = (name) => element.querySelector(name);
const says = part(".hg-says");
const pictures = part(".hg-pictures");
const grid = part(".hg-grid");
const bar = part(".hg-bar");
const large = part(".hg-large");
const facts = part(".hg-facts");
const all = part(".hg-all");

let heads = []; // what is known of each
let shape = []; // layers, heads, and rows and columns of a picture
let maps = null; // the bytes of the pictures
let chosen = null; // [layer, head]
let alone = null; // the layer that is shown larger, or null for all
let cells = []; // the buttons that arrows move between: each layer's number and its heads, or one layer's large heads
let order = { column: 0, down: false };
let showsAll = false;

function load() {
  const value = JSON.parse(props.value || "{}");
  ({ heads = [], shape = [] } = value);
  chosen = null;
  alone = null;
  showsAll = false;
  order = { column: 0, down: false };
  for (const box of element.querySelectorAll("thead tr, .hg-grid thead, tbody, .hg-bar")) box.replaceChildren();
  element.classList.toggle("hg-empty", !value.maps);
  if (!value.maps) return;
  maps = Uint8Array.from(atob(value.maps), (character) => character.charCodeAt(0));
  drawGrid();
  drawBar();
  COLUMNS.forEach((name, column) => part(".hg-facts thead tr").append(sorter(name, column)));
  show(null);
}

function made(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function drawGrid() {
  const [layers, width] = shape;
  const numbers = Array.from({ length: width }, (_, head) => made("th", { scope: "col", textContent: head + 1 }));
  grid.tHead.append(made("tr", {}, made("th", { scope: "col", textContent: "Layer" }), ...numbers));
  for (let layer = 0; layer < layers; layer++) {
    const row = made("tr", {}, made("th", { scope: "row" }, numbered(layer, `Layer ${layer + 1}, larger`)));
    for (let head = 0; head < width; head++) row.append(made("td", {}, thumb(layer * width + head)));
    grid.tBodies[0].append(row);
  }
}

function drawBar() {
  const numbers = Array.from({ length: shape[0] }, (_, layer) => numbered(layer, `Layer ${layer + 1}`));
  const back = made("button", { type: "button", className: "hg-back", textContent: "← All layers" });
  bar.append(back, made("span", {}, "Layer", ...numbers));
}

function drawLarge() {
  const width = shape[1];
  large.ariaLabel = `Heads of layer ${alone + 1}`;
  large.append(...Array.from({ length: width }, (_, head) => withCaption(thumb(alone * width + head), head)));
}

function withCaption(button, head) {
  const number = made("b", { textContent: `Head ${head + 1}` });
  button.append(made("span", {}, number, ` ${heads[button.dataset.at].caption}`));
  return button;
}

function numbered(layer, ariaLabel) {
  const button = made("button", { type: "button", className: "hg-layer", textContent: layer + 1, ariaLabel });
  button.dataset.layer = layer;
  return button;
}

function thumb(at) {
  const [height, width] = shape.slice(2);
  const picture = made("canvas", { width, height });
  paint(picture, maps.subarray(at * height * width, (at + 1) * height * width));
  const ariaLabel = heads[at].says;
  const button = made("button", { type: "button", className: "hg-thumb", ariaLabel }, picture);
  button.dataset.at = at;
  return button;
}

// A weight is an amount of the ink that the page has.
function paint(picture, weights) {
  const context = picture.getContext("2d");
  const image = context.createImageData(picture.width, picture.height);
  weights.forEach((weight, place) => (image.data[4 * place + 3] = weight));
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = getComputedStyle(grid).getPropertyValue("--ink");
  context.fillRect(0, 0, picture.width, picture.height);
}

function sorter(name, column) {
  const button = made("button", { type: "button", textContent: name });
  button.dataset.column = column;
  return made("th", { scope: "col" }, button);
}

function drawRows() {
  [...facts.tHead.rows[0].cells].forEach((cell, column) => {
    cell.ariaSort = column === order.column ? (order.down ? "descending" : "ascending") : "none";
  });
  const places = sorted();
  const shown = showsAll ? places : places.slice(0, FIRST_ROWS);
  facts.tBodies[0].replaceChildren(...shown.map(row));
  all.hidden = showsAll || places.length <= FIRST_ROWS;
  all.textContent = `Show all ${places.length}`;
}

// The places of the heads that are shown; those without a number are last whichever way the others stand.
function sorted() {
  const number = (at) => (order.column ? heads[at].facts[order.column - 1] : at);
  const direction = order.down ? -1 : 1;
  const shown = [...heads.keys()].filter((at) => alone === null || heads[at].place[0] === alone);
  return shown.sort((a, b) => {
    const [one, other] = [number(a), number(b)];
    if (one === null || other === null) return (one === null) - (other === null);
    return direction * (one - other);
  });
}

function row(at) {
  const { place, shown } = heads[at];
  const button = made("button", { type: "button", textContent: `Layer ${place[0] + 1}, head ${place[1] + 1}` });
  button.dataset.at = at;
  button.ariaPressed = String(isChosen(place));
  const cells = shown.map((number) => made("td", { textContent: number }));
  return made("tr", {}, made("th", { scope: "row" }, button), ...cells);
}

function isChosen([layer, head]) {
  return Boolean(chosen) && chosen[0] === layer && chosen[1] === head;
}

function mark() {
  for (const button of element.querySelectorAll("[data-at]")) {
    button.ariaPressed = String(isChosen(heads[button.dataset.at].place));
  }
  if (element.contains(document.activeElement)) return;
  reachFirst();
}

// All layers, or one alone.
function show(layer) {
  alone = layer;
  grid.parentElement.hidden = alone !== null;
  bar.hidden = large.hidden = alone === null;
  for (const button of bar.querySelectorAll("[data-layer]")) {
    button.ariaPressed = String(Number(button.dataset.layer) === alone);
  }
  large.replaceChildren();
  if (alone !== null) drawLarge();
  cells = [...(alone === null ? grid : large).querySelectorAll("button")];
  drawRows();
  mark();
  reachFirst();
  say(null);
}

function showAll() {
  const layer = alone;
  show(null);
  const button = grid.querySelector(`[data-layer="${layer}"]`);
  reach(button);
  button.focus();
}

// Tab comes to one picture, and to the number of its layer.
function reach(button) {
  const row = [...(button.closest("tr")?.querySelectorAll("button") ?? [])];
  const stops = row.indexOf(button) ? [button, row[0]] : row.slice(0, 2);
  for (const each of cells) each.tabIndex = stops.includes(each) ? 0 : -1;
}

function reachFirst() {
  const heads = cells.filter((button) => button.dataset.at);
  const first = heads.find((button) => button.ariaPressed === "true") ?? heads[0];
  reach(first);
  return first;
}

function say(at) {
  const rest = alone === null ? REST_OF_ALL : REST_OF_ONE;
  says.textContent = at === null ? rest : heads[at].says;
}

function choose(at) {
  chosen = heads[at].place;
  mark();
  trigger("submit", { layer: chosen[0], head: chosen[1] });
}

function sort(column) {
  order = { column, down: order.column === column ? !order.down : column > 0 };
  drawRows();
}

function move(button, key) {
  const at = cells.indexOf(button);
  const width = alone === null ? shape[1] + 1 : numColumns();
  const [first, last] = alone === null ? [at - (at % width), at - (at % width) + width - 1] : [0, cells.length - 1];
  const target = {
    ArrowRight: Math.min(at + 1, last),
    ArrowLeft: Math.max(at - 1, first),
    ArrowDown: at + width < cells.length ? at + width : at,
    ArrowUp: at >= width ? at - width : at,
    Home: alone === null ? first + 1 : first,
    End: last,
  }[key];
  if (target === undefined) return false;
  reach(cells[target]);
  cells[target].focus();
  return true;
}

// Of the large pictures, as they are laid out.
function numColumns() {
  return getComputedStyle(large).gridTemplateColumns.split(" ").length;
}

function place(event) {
  const button = event.target.closest("[data-at]");
  return button && Number(button.dataset.at);
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.at) choose(Number(button.dataset.at));
  else if (button.dataset.column) sort(Number(button.dataset.column));
  else if (button.dataset.layer) {
    show(Number(button.dataset.layer));
    if (!bar.contains(button)) reachFirst().focus();
  } else if (button.matches(".hg-back")) showAll();
  else {
    showsAll = true;
    drawRows();
    facts.tBodies[0].rows[FIRST_ROWS].querySelector("button").focus();
  }
});
element.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || alone === null) return;
  event.preventDefault();
  showAll();
});
pictures.addEventListener("pointerover", (event) => say(place(event)));
pictures.addEventListener("pointerleave", () => say(null));
pictures.addEventListener("focusin", (event) => {
  if (cells.includes(event.target)) reach(event.target);
  say(place(event));
});
pictures.addEventListener("focusout", () => say(null));
pictures.addEventListener("keydown", (event) => {
  if (cells.includes(event.target) && move(event.target, event.key)) event.preventDefault();
});

watch("value", load);
load();
