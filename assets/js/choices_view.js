// The browser's half of components/choices_view.py: an output inked where the model was unsure, and what else it had.
// Runs once when its gr.HTML is made. Choosing to go on with another token triggers "submit" with {place, token_id}.
// Words are set as text, never as markup.

element.innerHTML = `
  <p class="cv-says"></p>
  <div class="cv-parts">
    <p class="cv-text" role="group" aria-label="The output, token by token"></p>
    <section class="cv-others" aria-label="What else it weighed"><h4 role="status"></h4><ol></ol></section>
  </div>`;
const part = (name) => element.querySelector(name);
const text = part(".cv-text");
const others = part("ol");
const REST = "Point at a word, or move to one with Tab and the arrow keys, to see what else the model weighed there.";

let tokens = [];
let words = []; // their spans
let pinned = null;
let shown = null;

function load() {
  const value = JSON.parse(props.value || "{}");
  tokens = value.tokens || [];
  words = [];
  pinned = shown = null;
  part(".cv-says").textContent = value.says || "";
  text.replaceChildren();
  element.classList.toggle("cv-empty", !value.tokens);
  tokens.forEach(write);
  if (words.length) words[0].tabIndex = 0;
  others.replaceChildren();
  part("h4").textContent = REST;
}

function made(tag, className, words) {
  return Object.assign(document.createElement(tag), { className, textContent: words });
}

function write({ before, text: token, special, probability, percent }, index) {
  const word = made("span", "cv-word", token);
  word.classList.toggle("cv-special", special);
  word.classList.toggle("cv-unsure", probability < 0.5);
  word.style.setProperty("--doubt", (1 - probability).toFixed(3));
  word.dataset.index = index;
  word.tabIndex = -1;
  word.setAttribute("role", "button");
  word.ariaLabel = `${token}, ${percent}`;
  word.ariaPressed = "false";
  words.push(word);
  text.append(before, word, special ? " " : "");
}

function show(index) {
  if (index === null || index === shown) return;
  words[shown]?.classList.remove("cv-here");
  shown = index;
  words[index].classList.add("cv-here");
  const token = tokens[index];
  part("h4").textContent = `“${token.text.trim()}” was written (${token.percent}). Go on from here with:`;
  others.replaceChildren(...token.others.map(offer));
}

function offer(other) {
  const line = made(other.written ? "div" : "button", "cv-other", "");
  line.style.setProperty("--share", other.probability);
  const piece = made("span", "cv-piece", other.text);
  line.append(piece, made("span", "cv-bar", ""), made("span", "cv-share", other.percent));
  if (other.written) piece.append(made("small", "", " written"));
  else {
    line.type = "button";
    line.dataset.id = other.id;
    line.ariaLabel = `Go on from here with “${other.text.trim()}”, ${other.percent}`;
  }
  const item = document.createElement("li");
  item.append(line);
  return item;
}

function pin(index) {
  if (pinned !== null) words[pinned].ariaPressed = "false";
  pinned = index === pinned ? null : index;
  if (pinned !== null) words[pinned].ariaPressed = "true";
  show(index);
}

// Back to the word from its alternatives, and nothing pinned.
function leave() {
  if (others.contains(document.activeElement)) words[shown].focus();
  if (pinned !== null) pin(pinned);
}

function indexAt(event) {
  const word = event.target.closest(".cv-word");
  return word && Number(word.dataset.index);
}

function move(index, key) {
  const last = words.length - 1;
  const steps = { ArrowRight: index + 1, ArrowDown: index + 1, ArrowLeft: index - 1, ArrowUp: index - 1 };
  const target = { Home: 0, End: last, ...steps }[key];
  if (target === undefined) return false;
  words[Math.max(0, Math.min(last, target))].focus();
  return true;
}

// Tab comes back to the word that was left, so its alternatives are always the next stop after it.
function reach(index) {
  for (const word of words) word.tabIndex = -1;
  words[index].tabIndex = 0;
}

text.addEventListener("pointerover", (event) => {
  if (pinned === null && event.pointerType !== "touch") show(indexAt(event));
});
text.addEventListener("focusin", (event) => {
  reach(indexAt(event));
  if (pinned === null) show(indexAt(event));
});
text.addEventListener("click", (event) => {
  const index = indexAt(event);
  if (index !== null) pin(index);
});
text.addEventListener("keydown", (event) => {
  const index = indexAt(event);
  if (index === null) return;
  if (event.key === "Enter" || event.key === " ") pin(index);
  else if (!move(index, event.key)) return;
  event.preventDefault();
});
element.addEventListener("keydown", (event) => event.key === "Escape" && leave());
others.addEventListener("click", (event) => {
  const id = event.target.closest("[data-id]")?.dataset.id;
  if (id === undefined) return;
  trigger("submit", { place: shown, token_id: Number(id) });
});

watch("value", load);
load();
