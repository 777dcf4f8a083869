// The browser's half of components/answer_view.py: the candidates as a list, and the text with each of them marked.
// Runs once when its gr.HTML is made (element, props and watch are given); words are set as text, never as markup.

element.innerHTML = `
  <div class="av-parts">
    <section><h4 class="av-title"></h4><ol class="av-list" aria-label="Possible answers, likeliest first"></ol></section>
    <section><h4>The text</h4><div class="av-text" role="region" aria-label="The text with the answer marked" tabindex="0"></div></section>
  </div>`;
const title = element.querySelector(".av-title");
const list = element.querySelector(".av-list");
const text = element.querySelector(".av-text");

let buttons = []; // one for each candidate
let marks = []; // where each stands in the text
let pinned = 0;
let shown = null;

function load() {
  buttons = [];
  marks = [];
  pinned = 0;
  shown = null;
  list.replaceChildren();
  text.replaceChildren();
  const value = JSON.parse(props.value || "{}");
  if (!value.pieces) return;
  title.textContent = value.found ? "The answer, and what else it could be" : "What it could be if there is one after all";
  value.candidates.forEach(offer);
  for (const [before, words, index] of value.pieces) {
    marks[index] = made("mark", "av-mark", words);
    marks[index].dataset.index = index;
    text.append(before, marks[index]);
  }
  text.append(value.rest);
  show(pinned);
}

function made(tag, className, words) {
  return Object.assign(document.createElement(tag), { className, textContent: words });
}

function offer(candidate, index) {
  const button = made("button", "av-candidate", "");
  button.type = "button";
  button.dataset.index = index;
  button.setAttribute("aria-pressed", String(index === pinned));
  const place = made("span", "av-place", candidate.before);
  place.append(made("b", "", candidate.text), candidate.after);
  button.append(made("span", "av-score", candidate.score), " ", made("span", "av-words", candidate.text), " ", place);
  buttons.push(button);
  const item = document.createElement("li");
  item.append(button);
  list.append(item);
}

function show(index) {
  if (shown === index || !marks[index]) return;
  marks[shown]?.classList.remove("av-here");
  shown = index;
  marks[index].classList.add("av-here");
  centre();
}

// Scrolls the text alone: the page stays where the reader has it.
function centre() {
  const mark = marks[shown];
  if (!mark) return;
  const box = text.getBoundingClientRect();
  const at = mark.getClientRects()[0] ?? box;
  text.scrollTop += at.top - box.top - (box.height - at.height) / 2;
}

function pin(index) {
  buttons[pinned]?.setAttribute("aria-pressed", "false");
  pinned = index;
  buttons[pinned].setAttribute("aria-pressed", "true");
  show(index);
}

function indexAt(event) {
  const at = event.target.closest("[data-index]");
  return at && Number(at.dataset.index);
}

list.addEventListener("pointerover", (event) => event.pointerType !== "touch" && show(indexAt(event) ?? pinned));
list.addEventListener("pointerleave", () => show(pinned));
list.addEventListener("focusin", (event) => show(indexAt(event)));
list.addEventListener("focusout", () => show(pinned));
list.addEventListener("click", (event) => {
  const index = indexAt(event);
  if (index === null) return;
  pin(index);
  text.scrollIntoView({ block: "nearest" });
});
text.addEventListener("click", (event) => {
  const index = indexAt(event);
  if (index !== null) pin(index);
});

new ResizeObserver(centre).observe(text); // also when the text comes on show, as nothing hidden can be scrolled
watch("value", load);
load();
