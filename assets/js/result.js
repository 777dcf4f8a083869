// The result as it grows: the text, a line about the run, and copy and download, which never leave the browser.
// Runs once when its gr.HTML is made; props.value is {text, hint, notes, problem, running, filename}.

element.innerHTML = `
  <p class="result-text result-hint"></p>
  <output class="result-text" dir="auto" aria-label="Result"></output>
  <p class="result-problem" role="alert"></p>
  <div class="result-foot">
    <p class="result-notes" role="status"></p>
    <div class="result-actions">
      <button type="button" data-action="copy">Copy</button>
      <button type="button" data-action="download">Download</button>
    </div>
  </div>`;
const part = (name) => element.querySelector(name);
const text = part("output");

function draw() {
  const value = props.value || {};
  part(".result-hint").textContent = value.hint || "";
  part(".result-hint").hidden = !value.hint;
  text.textContent = value.text || "";
  text.hidden = Boolean(value.hint || (value.problem && !value.text));
  part(".result-problem").textContent = value.problem || "";
  part(".result-notes").replaceChildren(
    ...(value.notes || []).map((note) => Object.assign(document.createElement("span"), { textContent: note })),
  );
  part(".result-actions").hidden = !value.text || value.running;
  if (value.running && !element.classList.contains("is-running")) element.scrollIntoView({ block: "nearest" });
  element.classList.toggle("is-running", Boolean(value.running));
}

// navigator.clipboard exists only on https and localhost.
async function copy(words) {
  if (navigator.clipboard) return navigator.clipboard.writeText(words);
  const range = document.createRange();
  range.selectNodeContents(text);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  document.execCommand("copy");
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
  if (button.dataset.action === "download") return download(props.value.text, props.value.filename);
  await copy(props.value.text);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

watch("value", draw);
draw();
