// The browser's half of components/provenance_view.py: a sentence lights up those it leans on, a number goes to one.
// Runs once when its gr.HTML is made (element, props and watch are given); words are set as text, never as markup.

element.innerHTML = `
  <p class="pv-says"></p>
  <p class="pv-status" role="status"></p>
  <p class="pv-problem" role="alert"></p>
  <div class="pv-parts">
    <section><h4>The summary</h4><div class="pv-summary"></div></section>
    <section><h4>Your text</h4><div class="pv-text" role="region" aria-label="Your text, its sentences numbered" tabindex="0"></div></section>
  </div>`;
const part = (name) => element.querySelector(name);
const summary = part(".pv-summary");
const text = part(".pv-text");
const REST = "Point at a sentence to light up what it leans on. A number takes you there.";

let leanings = []; // of each sentence of the summary: its sources
let items = []; // of each, what shows it
let sources = []; // the sentences of the text
let drawn = 0; // sections that are shown
let pinned = null; // the place of a sentence of the summary that stays lit
let lit = null;
let back = null; // the button that led to the text

function load() {
  const { sections = [], says = "", running = "", problem = "" } = JSON.parse(props.value || "{}");
  if (!drawn || sections.length <= drawn) clear();
  sections.slice(drawn).forEach(draw);
  drawn = sections.length;
  element.classList.toggle("pv-empty", !drawn);
  part(".pv-says").textContent = says;
  part(".pv-problem").textContent = problem;
  say(running || (drawn && !problem ? REST : ""));
}

function clear() {
  leanings = [];
  items = [];
  sources = [];
  drawn = 0;
  pinned = lit = back = null;
  summary.replaceChildren();
  text.replaceChildren();
}

function say(words) {
  if (part(".pv-status").textContent !== words) part(".pv-status").textContent = words;
}

function made(tag, className, words) {
  return Object.assign(document.createElement(tag), { className, textContent: words });
}

// One section behind those that are there: its summary, and its text.
function draw({ sentences, source }) {
  const list = made("ol", "pv-sentences", "");
  list.append(...sentences.map(sentenceOf));
  summary.append(list);
  const section = made("div", "pv-section", "");
  for (const [before, words] of source) section.append(before, sourceOf(words));
  text.append(section);
}

function sentenceOf(sentence) {
  const item = made("li", "pv-sentence", "");
  item.dataset.place = items.length;
  item.append(made("span", "pv-words", sentence.text), " ", numbersOf(sentence.sources));
  items.push(item);
  leanings.push(sentence.sources);
  return item;
}

function numbersOf(leaned) {
  const numbers = made("span", "pv-numbers", leaned.length ? "" : "no one sentence");
  for (const { number, shown, label } of leaned) {
    const button = made("button", "pv-number", shown);
    button.type = "button";
    button.dataset.number = number;
    button.ariaLabel = label;
    numbers.append(button, " ");
  }
  return numbers;
}

function sourceOf(words) {
  const source = made("span", "pv-source", "");
  sources.push(source);
  source.tabIndex = -1;
  source.append(made("sup", "", sources.length), "\u2060\u00a0", made("span", "", words)); // never without its number
  return source;
}

function light(place) {
  if (place === lit) return;
  paint(lit, false);
  lit = place;
  paint(lit, true);
}

function paint(place, on) {
  if (place === null) return;
  items[place].classList.toggle("pv-lit", on);
  for (const { number, share } of leanings[place]) sources[number - 1].style.setProperty("--share", on ? share : 0);
}

function go(button) {
  text.querySelector("[aria-current]")?.removeAttribute("aria-current");
  const number = Number(button.dataset.number);
  const source = sources[number - 1];
  source.setAttribute("aria-current", "true");
  back = button;
  source.focus({ preventScroll: true });
  bring(source);
  const escape = source.matches(":focus-visible") ? " Escape takes you back to the summary." : "";
  say(`Sentence ${number} of ${sources.length} is marked.${escape}`);
}

// Scrolls the text alone to one of its sentences; the page only if the text would not be seen.
function bring(source) {
  const box = text.getBoundingClientRect();
  const at = source.getBoundingClientRect();
  const higher = Math.max(0, (box.height - at.height) / 2); // above the sentence, or its beginning if it is a long one
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
  text.scrollTo({ top: text.scrollTop + at.top - box.top - higher, behavior });
  const seen = Math.min(box.bottom, innerHeight) - Math.max(box.top, 0);
  if (seen < box.height / 2) text.scrollIntoView({ block: "nearest", behavior });
}

function placeOf(event) {
  const item = event.target.closest(".pv-sentence");
  return item && Number(item.dataset.place);
}

summary.addEventListener("pointerover", (event) => event.pointerType !== "touch" && light(placeOf(event) ?? pinned));
summary.addEventListener("pointerleave", () => light(pinned));
summary.addEventListener("focusin", (event) => light(placeOf(event) ?? pinned));
summary.addEventListener("focusout", () => light(pinned));
summary.addEventListener("click", (event) => {
  const place = placeOf(event);
  if (place === null) return;
  pinned = place;
  light(place);
  const button = event.target.closest(".pv-number");
  if (button) go(button);
});
text.addEventListener("keydown", (event) => event.key === "Escape" && back?.focus());

watch("value", load);
load();
