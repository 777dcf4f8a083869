// Once for the whole page: Ctrl+Enter (or Cmd+Enter) in a text box runs its panel, and so does Enter in a question;
// a file dropped on a panel opens there; a text box reads in the direction of its first letter.
() => {
  const RIGHT_TO_LEFT = /^\P{L}*[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
  const FIELDS = { text: ".text textarea", question: ".question :is(input, textarea)" };
  const panelOf = (event) => event.target.closest?.(".run-panel");
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");

  // An Enter that ends the composing of a letter runs nothing.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    if (!(event.ctrlKey || event.metaKey || event.target.matches(FIELDS.question))) return;
    const panel = panelOf(event);
    if (!panel) return;
    event.preventDefault();
    panel.querySelector("button.run:not(:disabled)")?.click();
  });

  // dir="auto" would do this, but takes seconds for a megabyte. What an example or a file fills in is no input event.
  const direct = (field) => (field.dir = RIGHT_TO_LEFT.test(field.value) ? "rtl" : "ltr");
  const fields = `${FIELDS.text}, ${FIELDS.question}`;
  document.addEventListener("input", (event) => event.target.matches(fields) && direct(event.target));
  document.addEventListener("gloss:filled", () => setTimeout(() => document.querySelectorAll(fields).forEach(direct)));

  // Without this a browser leaves the page to show the file.
  document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    const chooser = panelOf(event)?.querySelector("input[type=file]");
    if (!chooser || !event.dataTransfer.files.length) return;
    const first = new DataTransfer();
    first.items.add(event.dataTransfer.files[0]);
    chooser.files = first.files;
    chooser.dispatchEvent(new Event("change", { bubbles: true }));
  });
};
