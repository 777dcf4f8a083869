// Once for the whole page: Ctrl+Enter (or Cmd+Enter) in a text box runs its panel, and so does Enter in a question;
// a file dropped on a panel opens there; a text box reads in the direction of its first letter;
// a text that was pasted counts as left, and is read ahead;
// whoever presses Run by keyboard is at Cancel then, and back at Run in the end;
// pictures and tables have names, and what folds says whether it is open;
// a picture that was drawn out of sight gets the width of its place when it comes on show, and none is drawn twice;
// what an event costs the page does not grow with the form.
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
  document.addEventListener("gloss:filled", () => setTimeout(() => document.querySelectorAll(fields).forEach(direct)));

  // Nobody types so much at once: there is time to read it while its reader goes on.
  const PASTED = 200; // characters
  const wasPasted = ({ inputType, data }) => inputType?.startsWith("insertFrom") || data?.length > PASTED;
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches(fields)) return;
    direct(field);
    if (wasPasted(event)) setTimeout(() => field.dispatchEvent(new FocusEvent("blur")));
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

  // A button that can no longer be pressed loses the focus, which goes to the one beside it rather than to the page.
  let focused = null;
  document.addEventListener("focusin", (event) => (focused = event.target.closest?.(".buttons button")));
  const keepFocus = () => {
    if (focused?.disabled && [document.body, focused].includes(document.activeElement))
      focused.parentElement.querySelector("button:enabled")?.focus({ preventScroll: true });
  };
  const pressable = { attributes: true, attributeFilter: ["disabled"], subtree: true };
  new MutationObserver(() => requestAnimationFrame(keepFocus)).observe(document.body, pressable);

  // Gradio copies all that it knows of a widget, value by value, whenever an event tells how far it is: ten thousand
  // copies for one look. A string or a number is its own copy, and for a function it expects this very error.
  const copy = window.structuredClone;
  const noCopy = new DOMException("A function cannot be cloned.", "DataCloneError");
  window.structuredClone = (value, ...options) => {
    if (typeof value === "function") throw noCopy;
    return Object(value) === value || typeof value === "symbol" ? copy(value, ...options) : value;
  };

  // A picture or table is named by the head above it, and lines are read out point by point; a map has a table.
  const number = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
  const readOut = ({ name, x, y }) =>
    `${name}: ${x.map((at, index) => `${number.format(y[index])} at ${at}`).join(", ")}`;
  const isAbove = (head, thing) => head.compareDocumentPosition(thing) & Node.DOCUMENT_POSITION_FOLLOWING;
  const headOf = (thing) => {
    const heads = [...thing.closest("[role=tabpanel]").querySelectorAll("h2, h3, .label-wrap > span:first-child")];
    return heads.findLast((each) => isAbove(each, thing))?.textContent.trim();
  };
  const linesOf = (plot) => {
    const lines = (plot.data ?? []).filter((trace) => trace.mode === "lines+markers");
    return lines.length ? [plot.layout.yaxis.title.text, ...lines.map(readOut)] : [];
  };
  const fits = (plot) => plot.querySelector(".main-svg")?.clientWidth === plot.clientWidth;
  const watchWidth = new ResizeObserver((entries) => entries.forEach(({ target }) => Plotly.Plots.resize(target)));

  // Gradio has a figure drawn three times: in the element that it is about to throw away, in the new one, and there
  // again, whether or not it fits.
  const settled = () => new Promise((tell) => setTimeout(tell));
  const drawOnce = (plotly) => {
    const { react } = plotly;
    const { resize } = plotly.Plots;
    plotly.react = async (plot, ...figure) => {
      if (plot.matches(".js-plotly-plot")) await settled();
      if (plot.isConnected) await react(plot, ...figure);
    };
    plotly.Plots.resize = async (plot) => {
      await settled();
      if (plot.clientWidth && !fits(plot)) await resize(plot);
    };
    Object.defineProperty(window, "Plotly", { value: plotly });
  };
  if (window.Plotly) drawOnce(window.Plotly);
  else Object.defineProperty(window, "Plotly", { set: drawOnce, configurable: true });

  const describe = () => {
    for (const plot of document.querySelectorAll("[role=tabpanel] .js-plotly-plot")) {
      watchWidth.observe(plot);
      const [drawing, ...layers] = plot.querySelectorAll(".main-svg");
      drawing?.setAttribute("role", "img");
      drawing?.setAttribute("aria-label", [headOf(plot), ...linesOf(plot)].join(". "));
      for (const layer of layers) layer.setAttribute("aria-hidden", "true");
    }
    for (const table of document.querySelectorAll("[role=tabpanel] table.links:not([aria-label])"))
      table.setAttribute("aria-label", headOf(table));
    for (const fold of document.querySelectorAll("button.label-wrap"))
      fold.setAttribute("aria-expanded", fold.classList.contains("open"));
  };
  let due = null;
  const describeSoon = () => {
    due ??= setTimeout(() => {
      due = null;
      describe();
    }, 200);
  };
  new MutationObserver(describeSoon).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("click", describeSoon);
  describeSoon();
};
