// The browser's half of components/token_view.py: lights up what a word looked at, and who looked at a word.
// Runs once when its gr.HTML is made (element, props and watch are given); words are set as text, never as markup.

const TOP = 4; // how many of the strongest words the line above the texts names
const FAINTEST = 0.01; // of the darkest: less is not seen

element.innerHTML = `
  <p class="tv-says" role="status"></p>
  <label class="tv-share">Light up the words that carry
    <input type="range" min="10" max="100" step="5" value="100"><output></output>
  </label>
  <div class="tv-texts">
    <section><h4></h4><p class="tv-text" data-side="target" role="group"></p></section>
    <section><h4></h4><p class="tv-text" data-side="source" role="group"></p></section>
  </div>`;
const says = element.querySelector(".tv-says");
const texts = {
  target: element.querySelector('[data-side="target"]'),
  source: element.querySelector('[data-side="source"]'),
};
const slider = element.querySelector(".tv-share input");
const READ = ["Read", "What the model read"]; // seen, read out
const WRITTEN = ["Written", "What the model wrote"];
const NAMES = {
  cross: { target: WRITTEN, source: READ },
  quoted: { target: ["Quoted", "What was quoted"], source: READ },
  encoder: { target: ["Looks", "Who looks"], source: ["Is looked at", "What is looked at"] },
  decoder: { target: WRITTEN, source: ["Written before", "What it had written before"] },
};
const other = { target: "source", source: "target" };
const REST = "Point at a word, or move to one with Tab and the arrow keys. Click or press Enter to keep it lit.";

let record = null; // {target, source, weights, row_max, sides}, with weights decoded to bytes
let words = { target: [], source: [] }; // the spans
let pinned = null; // {side, index}
let shown = null;
let lit = []; // the words that are not as they were written
let next = null;
let frame = 0;

function load() {
  record = null;
  pinned = shown = next = null;
  words = { target: [], source: [] };
  lit = [];
  for (const side of ["target", "source"]) texts[side].replaceChildren();
  says.textContent = "";
  const value = JSON.parse(props.value || "{}");
  element.classList.toggle("tv-empty", !value.weights);
  if (!value.weights) return;
  record = { ...value, weights: Uint8Array.from(atob(value.weights), (character) => character.charCodeAt(0)) };
  for (const side of ["target", "source"]) {
    name(side, NAMES[value.sides][side]);
    write(side);
  }
  say(null);
}

function name(side, [seen, spoken]) {
  texts[side].setAttribute("aria-label", spoken);
  texts[side].parentElement.querySelector("h4").textContent = seen;
}

function write(side) {
  const fragment = document.createDocumentFragment();
  record[side].forEach(([before, text, special], index) => {
    const word = document.createElement("span");
    word.className = special ? "tv-word tv-special" : "tv-word";
    word.textContent = text;
    word.dataset.index = index;
    word.tabIndex = -1;
    word.setAttribute("role", "button");
    word.setAttribute("aria-pressed", "false");
    words[side].push(word);
    fragment.append(before, word);
    if (special) fragment.append(" ");
  });
  texts[side].append(fragment);
  if (words[side].length) words[side][0].tabIndex = 0;
}

// The weights between one word and all words of the other text, as fractions of attention.
function weights({ side, index }) {
  const width = record.source.length;
  const weight = (row, column) => (record.weights[row * width + column] / 255) * record.row_max[row];
  return side === "target"
    ? record.source.map((_, column) => weight(index, column))
    : record.target.map((_, row) => weight(row, index));
}

// Special tokens often take the most: the brightest real word sets the scale.
function brightest(values, side) {
  const real = values.filter((_, index) => !record[side][index][2]);
  return Math.max(1e-6, ...(real.length ? real : values));
}

// The fewest words that have the chosen share of the attention between them, as a list of whether each is one.
function carriers(values) {
  if (slider.value === slider.max) return values.map(() => true);
  const carries = values.map(() => false);
  let missing = (slider.value / slider.max) * values.reduce((sum, value) => sum + value, 0);
  for (const index of values.map((_, index) => index).sort((a, b) => values[b] - values[a])) {
    if (missing <= 1e-6) break;
    carries[index] = true;
    missing -= values[index];
  }
  return carries;
}

function light(at) {
  for (const word of lit) {
    word.style.removeProperty("--weight");
    word.classList.remove("tv-here");
  }
  lit = [];
  const values = at && weights(at);
  if (at) {
    const most = brightest(values, other[at.side]);
    const carries = carriers(values);
    words[other[at.side]].forEach((word, index) => {
      if (!carries[index] || values[index] < FAINTEST * most) return;
      word.style.setProperty("--weight", Math.min(1, values[index] / most).toFixed(3));
      lit.push(word);
    });
    const here = words[at.side][at.index];
    here.classList.add("tv-here");
    lit.push(here);
  }
  say(at, values);
}

function say(at, values) {
  if (!at) {
    says.textContent = REST;
    return;
  }
  const strongest = values
    .map((value, index) => [value, index])
    .filter(([value]) => value >= 0.005)
    .sort((a, b) => b[0] - a[0])
    .slice(0, TOP)
    .map(([value, index]) => `${record[other[at.side]][index][1]} ${Math.round(100 * value)}%`);
  const verb = at.side === "target" ? "looked at" : "was looked at for";
  says.textContent =
    `“${record[at.side][at.index][1]}” ${verb} ${strongest.join(", ") || "nothing in particular"}` + share(values);
}

function share(values) {
  if (slider.value === slider.max) return "";
  return `. ${carriers(values).filter(Boolean).length} of ${values.length} carry ${slider.value}%`;
}

function choose() {
  const all = slider.value === slider.max;
  element.querySelector(".tv-share output").textContent = all ? "all attention" : `${slider.value}% of it`;
  if (record) light(shown);
}

// However many pointer events come, at most one repaint a frame.
function show(at) {
  next = at || pinned;
  if (frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    if (next === shown || !record) return;
    shown = next;
    light(shown);
  });
}

function place(event) {
  const word = event.target.closest(".tv-word");
  return word && { side: word.parentElement.dataset.side, index: Number(word.dataset.index) };
}

function pin(at) {
  const same = pinned && pinned.side === at.side && pinned.index === at.index;
  if (pinned) words[pinned.side][pinned.index].setAttribute("aria-pressed", "false");
  pinned = same ? null : at;
  if (pinned) words[at.side][at.index].setAttribute("aria-pressed", "true");
  show(at);
}

function move(at, key) {
  const last = words[at.side].length - 1;
  const steps = { ArrowRight: at.index + 1, ArrowDown: at.index + 1, ArrowLeft: at.index - 1, ArrowUp: at.index - 1 };
  const target = { Home: 0, End: last, ...steps }[key];
  if (target === undefined) return false;
  words[at.side][at.index].tabIndex = -1;
  const word = words[at.side][Math.max(0, Math.min(last, target))];
  word.tabIndex = 0;
  word.focus();
  return true;
}

element.addEventListener("pointerover", (event) => event.pointerType !== "touch" && show(place(event)));
element.addEventListener("pointerleave", () => show(null));
element.addEventListener("focusin", (event) => show(place(event)));
element.addEventListener("focusout", () => show(null));
element.addEventListener("click", (event) => {
  const at = place(event);
  if (at) pin(at);
});
element.addEventListener("keydown", (event) => {
  const at = place(event);
  if (!at) return;
  if (event.key === "Enter" || event.key === " ") pin(at);
  else if (event.key === "Escape") pinned ? pin(pinned) : show(null);
  else if (!move(at, event.key)) return;
  event.preventDefault();
});

slider.addEventListener("input", choose);

watch("value", load);
choose();
load();
