// The browser's half of components/why_view.py: the source once for each method, inked by score.
// Runs once when its gr.HTML is made (element, props and watch are given); words are set as text, never as markup.

element.innerHTML = `
  <p class="wv-says"></p>
  <p class="wv-legend">
    <span style="--for: 1">weighed for it</span> <span class="wv-less" style="--against: 1">weighed against it</span>
  </p>
  <div class="wv-methods"></div>`;
const part = (name) => element.querySelector(name);

function load() {
  const { says = "", methods = [] } = JSON.parse(props.value || "{}");
  part(".wv-says").textContent = says;
  part(".wv-legend").hidden = !methods.some(({ pieces }) => pieces.some(([, , , ink]) => ink < 0));
  part(".wv-methods").replaceChildren(...methods.map(method));
  part(".wv-methods").querySelectorAll(".wv-text").forEach((text) => watchSize.observe(text));
}

function made(tag, className, words) {
  return Object.assign(document.createElement(tag), { className, textContent: words });
}

function method({ title, note, pieces, strongest, told }) {
  const text = made("div", "wv-text", "");
  text.tabIndex = 0;
  text.setAttribute("role", "region");
  text.ariaLabel = `The text by ${title.toLowerCase()}`;
  pieces.forEach((each, place) => {
    const shown = piece(each);
    shown.classList.toggle("wv-strongest", place === strongest);
    text.append(each[0], shown, each[2] ? " " : "");
  });
  const section = made("section", "", "");
  section.append(made("h4", "", title), made("p", "wv-note", note), text, made("p", "wv-told", told));
  return section;
}

function piece([, words, special, ink, number]) {
  const shown = made("span", special ? "wv-special" : "", words);
  shown.title = number;
  shown.style.setProperty(ink < 0 ? "--against" : "--for", Math.abs(ink));
  shown.classList.toggle("wv-less", ink <= -0.1); // told by more than its colour, where it is seen at all
  return shown;
}

// Scrolls a text alone to its strongest piece, also when it comes on show, as nothing hidden can be scrolled.
function centre(text) {
  const at = text.querySelector(".wv-strongest")?.getClientRects()[0];
  const box = text.getBoundingClientRect();
  if (at) text.scrollTop += at.top - box.top - (box.height - at.height) / 2;
}

const watchSize = new ResizeObserver((entries) => entries.forEach(({ target }) => centre(target)));
watch("value", load);
load();
