// A link to what is shown, to be copied. Runs once when its gr.HTML is made. props.value is {query, note}.

element.classList.add("lv-link");
element.innerHTML = `
  <label>Link <input readonly></label>
  <button type="button">Copy</button>
  <p role="status"></p>`;
const field = element.querySelector("input");
const button = element.querySelector("button");

function draw() {
  const { query, note } = props.value || {};
  element.classList.toggle("lv-empty", !query);
  field.value = query ? `${location.origin}${location.pathname}?${query}` : "";
  element.querySelector("p").textContent = note || "";
  if (query) field.focus();
}

// navigator.clipboard exists only on https and localhost, and a page around this one may forbid it.
async function copy() {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

field.addEventListener("focus", () => {
  field.select();
  field.scrollLeft = 0;
});
button.addEventListener("click", copy);
watch("value", draw);
draw();
