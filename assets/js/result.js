// The result as it grows: the text, a line about the run, and copy and download, which never leave the browser.
// Runs once when its gr.HTML is made. props.value is {text, pieces, hint, score, notes, problem, running, progress, longer,
// filename, opened}: pieces the text as [what the source has, a word that it lacks], progress {done, of, says} for a text
// that is read in several sections or a model that is fetched, longer the summary that this one is made of, opened whether
// it is taken apart below.

element.innerHTML = `
  <div class="result-progress">
    <div role="progressbar" aria-label="Progress" aria-valuemin="0"></div>
    <p></p>
  </div>
  <p class="result-text result-hint" role="status"></p>
  <output class="result-text" dir="auto" aria-label="Result"></output>
  <p class="result-score"></p>
  <p class="result-problem" role="alert"></p>
  <div class="result-foot">
    <p class="result-notes" role="status"></p>
    <div class="result-actions">
      <button type="button" data-action="shorten">Summarize this again</button>
      <button type="button" data-action="copy">Copy</button>
      <button type="button" data-action="download">Download</button>
    </div>
  </div>
  <details class="result-longer">
    <summary>The longer summary that this one is made of</summary>
    <p dir="auto"></p>
  </details>`;
const part = (name) => element.querySelector(name);
const text = part("output");

function draw() {
  const value = props.value || {};
  part(".result-hint").textContent = value.hint || "";
  part(".result-hint").hidden = !value.hint;
  text.replaceChildren(...inked(value));
  text.hidden = Boolean(value.hint || (value.problem && !value.text));
  part(".result-score").textContent = value.score || "";
  part(".result-problem").textContent = value.problem || "";
  part(".result-notes").replaceChildren(
    ...(value.notes || []).map((note) => Object.assign(document.createElement("span"), { textContent: note })),
  );
  part(".result-actions").hidden = !value.text || value.running;
  drawProgress(value.progress, value.running);
  // A screen reader is told the end, not every token.
  for (const growing of [text, part(".result-notes")]) growing.ariaLive = value.running ? "off" : "polite";
  part('[data-action="shorten"]').hidden = !value.progress || value.progress.done < value.progress.of;
  part(".result-longer").hidden = !value.longer;
  part(".result-longer p").textContent = value.longer || "";
  if (value.running && !element.classList.contains("is-running")) element.scrollIntoView({ block: "nearest" });
  element.classList.toggle("is-running", Boolean(value.running));
  element.classList.toggle("is-opened", Boolean(value.opened));
}

// A finished text with the words marked that its source does not have; one that is still growing as it is.
function inked({ text = "", pieces = [] }) {
  if (!pieces.length) return [text];
  const marked = (word) => Object.assign(document.createElement("mark"), { textContent: word, title: "Not in your text" });
  return pieces.flatMap(([known, word]) => (word ? [known, marked(word)] : [known]));
}

// The sections that are done in full ink, the one being written in light ink.
function drawProgress(progress, running) {
  part(".result-progress").hidden = !progress;
  text.classList.toggle("result-long", Boolean(progress));
  if (!progress) return;
  const bar = part('[role="progressbar"]');
  bar.ariaValueMax = progress.of;
  bar.ariaValueNow = progress.done;
  bar.ariaValueText = progress.says;
  bar.style.setProperty("--done", progress.done / progress.of);
  bar.style.setProperty("--begun", (progress.done + Boolean(running)) / progress.of);
  part(".result-progress p").textContent = progress.says;
}

// navigator.clipboard exists only on https and localhost, and a page around this one may forbid it.
async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    getSelection().selectAllChildren(text);
    document.execCommand("copy");
  }
}

function download(words, filename) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([words + "\n"], { type: "text/plain;charset=utf-8" }));
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

element.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.action === "shorten") return trigger("submit");
  if (button.dataset.action === "download") return download(props.value.text, props.value.filename);
  await copy(props.value.text);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
});

watch("value", draw);
draw();
