// The browser's half of components/heads_grid.py: a small picture of every head, and a table of what is known of each.
// Runs once when its gr.HTML is made. Choosing a head sets props.value.chosen to [layer, head] and triggers "submit".

const FIRST_ROWS = 24;
const COLUMNS = ["Head", "Entropy", "Distance", "Special", "Diagonality", "Agreement"];
const REST = "Point at a head, or move to one with Tab and the arrow keys. Click or press Enter to choose it.";

element.innerHTML = `
  <p class="hg-says" role="status"></p>
  <div class="hg-scroll">
    <table class="hg-grid" aria-label="Heads: a row for each layer"><thead></thead><tbody></tbody></table>
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
const grid = part(".hg-grid");
const facts = part(".hg-facts");
const all = part(".hg-all");

let drawn = null; // what the page shows, but for the choice
let thumbs = []; // the buttons of the grid, layer by layer
let order = { column: 0, down: false };
let showsAll = false;

function load() {
  const value = props.value || {};
  const key = JSON.stringify([value.maps, value.heads]);
  if (key !== drawn) draw(value);
  drawn = key;
  if (value.maps) mark();
}

function draw(value) {
  thumbs = [];
  showsAll = false;
  order = { column: 0, down: false };
  for (const box of element.querySelectorAll("thead tr, .hg-grid thead, tbody")) box.replaceChildren();
  element.classList.toggle("hg-empty", !value.maps);
  if (!value.maps) return;
  drawGrid(value, Uint8Array.from(atob(value.maps), (character) => character.charCodeAt(0)));
  COLUMNS.forEach((name, column) => part(".hg-facts thead tr").append(sorter(name, column)));
  drawRows();
  say(null);
}

function made(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function drawGrid({ shape: [layers, heads, height, width], heads: known }, bytes) {
  const numbers = Array.from({ length: heads }, (_, head) => made("th", { scope: "col", textContent: head + 1 }));
  grid.tHead.append(made("tr", {}, made("th", { scope: "col", textContent: "Layer" }), ...numbers));
  for (let layer = 0; layer < layers; layer++) {
    const row = made("tr", {}, made("th", { scope: "row", textContent: layer + 1 }));
    for (let head = 0; head < heads; head++) {
      const at = layer * heads + head;
      const picture = made("canvas", { width, height });
      row.append(made("td", {}, thumb(at, known[at].says, picture)));
      paint(picture, bytes.subarray(at * height * width, (at + 1) * height * width));
    }
    grid.tBodies[0].append(row);
  }
}

function thumb(at, says, picture) {
  const button = made("button", { type: "button", className: "hg-thumb", tabIndex: -1, ariaLabel: says }, picture);
  button.dataset.at = at;
  thumbs.push(button);
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
  const places = sorted(props.value.heads);
  const shown = showsAll ? places : places.slice(0, FIRST_ROWS);
  facts.tBodies[0].replaceChildren(...shown.map(row));
  all.hidden = showsAll || places.length <= FIRST_ROWS;
  all.textContent = `Show all ${places.length}`;
}

// The places of the heads; those without a number are last whichever way the others stand.
function sorted(heads) {
  const number = (at) => (order.column ? heads[at].facts[order.column - 1] : at);
  const direction = order.down ? -1 : 1;
  return [...heads.keys()].sort((a, b) => {
    const [one, other] = [number(a), number(b)];
    if (one === null || other === null) return (one === null) - (other === null);
    return direction * (one - other);
  });
}

function row(at) {
  const { place, shown } = props.value.heads[at];
  const button = made("button", { type: "button", textContent: `Layer ${place[0] + 1}, head ${place[1] + 1}` });
  button.dataset.at = at;
  button.ariaPressed = String(isChosen(place));
  const cells = shown.map((number) => made("td", { textContent: number }));
  return made("tr", {}, made("th", { scope: "row" }, button), ...cells);
}

function isChosen([layer, head]) {
  const chosen = props.value.chosen;
  return Boolean(chosen) && chosen[0] === layer && chosen[1] === head;
}

function mark() {
  for (const button of element.querySelectorAll("[data-at]")) {
    button.ariaPressed = String(isChosen(props.value.heads[button.dataset.at].place));
  }
  if (element.contains(document.activeElement)) return;
  reach(thumbs.find((button) => button.ariaPressed === "true") ?? thumbs[0]);
}

// The one picture that Tab comes to.
function reach(button) {
  for (const each of thumbs) each.tabIndex = each === button ? 0 : -1;
}

function say(at) {
  says.textContent = at === null ? REST : props.value.heads[at].says;
}

function choose(at) {
  props.value = { ...props.value, chosen: props.value.heads[at].place };
  mark();
  trigger("submit");
}

function sort(column) {
  order = { column, down: order.column === column ? !order.down : column > 0 };
  drawRows();
}

function move(at, key) {
  const width = props.value.shape[1];
  const first = at - (at % width);
  const target = {
    ArrowRight: Math.min(at + 1, first + width - 1),
    ArrowLeft: Math.max(at - 1, first),
    ArrowDown: at + width < thumbs.length ? at + width : at,
    ArrowUp: at >= width ? at - width : at,
    Home: first,
    End: first + width - 1,
  }[key];
  if (target === undefined) return false;
  reach(thumbs[target]);
  thumbs[target].focus();
  return true;
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
  else {
    showsAll = true;
    drawRows();
    facts.tBodies[0].rows[FIRST_ROWS].querySelector("button").focus();
  }
});
grid.addEventListener("pointerover", (event) => say(place(event)));
grid.addEventListener("pointerleave", () => say(null));
grid.addEventListener("focusin", (event) => {
  reach(event.target);
  say(place(event));
});
grid.addEventListener("focusout", () => say(null));
grid.addEventListener("keydown", (event) => {
  const at = place(event);
  if (at !== null && move(at, event.key)) event.preventDefault();
});

watch("value", load);
load();
