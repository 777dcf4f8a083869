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

  // dir="auto" would do this, but takes seconds for a megabyte.
  document.addEventListener("input", (event) => {
    if (event.target.matches(`${FIELDS.text}, ${FIELDS.question}`)) event.target.dir = RIGHT_TO_LEFT.test(event.target.value) ? "rtl" : "ltr";
  });

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
