// The browser's half of components/beam_tree.py: the runs as lists; side branches open on demand.
// Runs once when its gr.HTML is made (element, props and watch are given); words are set as text, never as markup.

element.innerHTML = `<p class="bt-says"></p><div class="bt-tree"></div>`;
const says = element.querySelector(".bt-says");
const tree = element.querySelector(".bt-tree");
const START = -1;

let runs = [];
let children = new Map(); // of each run and of the start: the runs that go on from it, likeliest first

function load() {
  const value = JSON.parse(props.value || "{}");
  runs = value.runs || [];
  says.textContent = value.says || "";
  children = new Map();
  runs.forEach(({ after }, place) => children.set(after, [...(children.get(after) ?? []), place]));
  tree.replaceChildren(...(runs.length ? [list(START)] : []));
}

function made(tag, className, ...children) {
  const node = Object.assign(document.createElement(tag), { className });
  node.append(...children);
  return node;
}

// What goes on from a run: the likeliest as one list however long, what branches off it inside its items.
function list(run, items = []) {
  for (let next = children.get(run); next; next = children.get(next[0])) {
    items.push(item(next[0], next.slice(1)));
  }
  return made("ol", "bt-list", ...items);
}

function item(run, sides) {
  if (!sides.length) return made("li", "", made("div", "bt-line", ...line(run)));
  const others = made("span", "bt-sides", `${sides.length} other${sides.length > 1 ? "s" : ""}`);
  const summary = made("summary", "bt-line", ...line(run), others);
  const details = made("details", "", summary);
  details.addEventListener("toggle", () => fill(details, sides), { once: true });
  return made("li", "", details);
}

// Made when it is opened: most of a tree is never looked at.
function fill(details, sides) {
  details.append(...sides.map((side) => list(side, [item(side, [])])));
}

function line(run) {
  const { text, score, fate, ends } = runs[run];
  const end = ends ? "✓ ends " : fate === "pruned" ? "pruned " : "";
  return [made("span", `bt-text bt-${fate}`, text), " ", made("span", "bt-score", end, score), " "];
}

watch("value", load);
load();
