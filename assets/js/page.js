// Once for the whole page: Ctrl+Enter (or Cmd+Enter) in a text box runs its panel.
() => {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const panel = event.target.closest?.(".run-panel");
    if (!panel) return;
    event.preventDefault();
    panel.querySelector("button.run:not(:disabled)")?.click();
  });
};
