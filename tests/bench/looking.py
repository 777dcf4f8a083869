"""The Attention tab: how long a look takes and what it sends, on the server; drawing and pointing, in a real Chromium.

With the embedded model of summaries, in the type of numbers that the engine chooses. A text is examples, one behind the
other; the output, its first sentences, is looked at as if it had been written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count, cycle, islice
from statistics import median

from playwright.sync_api import Locator, Page, expect, sync_playwright

from demo import links
from demo.examples import examples
from demo.explorer_words import TAKE_LABEL
from demo.looking import Explored, Looking, views_of
from demo.wording import WORDING_CHOICES
from seq2seq.engine import Engine, EngineSettings
from seq2seq.explain.grain import Grain
from seq2seq.tasks import Task
from seq2seq.trace import AttentionKind, Combination
from tests.browser.chromium import open_chromium
from tests.browser.panel import (
    box,
    button,
    choose_settings,
    open_settings,
    read,
    run,
    wait_until_finished,
    written,
)
from tests.browser.test_explorer import explorer
from tests.serving import serve

TASK: Task = "summarize"
TARGET_TOKENS = 117
VIEWS: dict[str, tuple[AttentionKind, int | Combination, Grain]] = {
    "cross-attention, last layer, by words": ("cross", 5, "words"),
    "encoder, last layer, by sentences": ("encoder", 5, "sentences"),
    "cross-attention, rolled out, by words": ("cross", "rollout", "words"),
}
WORDS_POINTED_AT = 80
PATIENCE = 120_000  # milliseconds
SETTLED = 1_000  # milliseconds after a map for whatever else was asked for
FETCHED = 2_000  # milliseconds that a visitor takes, at the least, to find and paste what was written
MOMENT = 1_000  # milliseconds from there to the press on Look, if it is in no hurry
LOOKS = {  # which text, milliseconds between it and the output, and from there to the press; how often
    "at once": (0, 0, 0, 1),
    "text read ahead": (1, FETCHED, 0, 1),
    "other output, at once": (1, 0, 0, 3),
    "other output": (1, 0, MOMENT, 3),
}
# Of the map that was drawn before, nothing is left to be taken for the new one.
AWAIT_MAP = """() => {
  document.querySelectorAll(".heatmaplayer image").forEach((image) => image.remove());
  const isMap = (node) => node.nodeName === "image" && node.closest(".heatmaplayer");
  const frame = () => new Promise(requestAnimationFrame);
  const pressed = new Promise((tell) => addEventListener("pointerdown", tell, { capture: true, once: true }));
  const there = new Promise((tell) => {
    const watch = new MutationObserver((changes) => {
      if (!changes.some((change) => [...change.addedNodes].some(isMap))) return;
      watch.disconnect();
      tell();
    });
    watch.observe(document.body, { childList: true, subtree: true });
  });
  window.drawn = Promise.all([pressed, there]).then(async ([press]) => {
    await frame();
    await frame();
    return performance.now() - press.timeStamp;
  });
}"""
POINT = """async (words) => {
  const frame = () => new Promise(requestAnimationFrame);
  const twoFrames = async (act) => {
    await frame();
    const started = performance.now();
    act();
    await frame();
    await frame();
    return performance.now() - started;
  };
  const times = { idle: [], pointing: [] };
  for (const word of words) {
    times.idle.push(await twoFrames(() => {}));
    const event = new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse" });
    times.pointing.push(await twoFrames(() => word.dispatchEvent(event)));
  }
  return times;
}"""


@dataclass(frozen=True)
class Look:
    """Seconds, the size of the map, and the bytes of what the page gets."""

    first: float
    again: float
    shape: tuple[int, int]
    sent: dict[str, int]


@dataclass(frozen=True)
class Pointing:
    """Milliseconds: how much longer than usual two frames take, and the work for a word by kind."""

    above_pace: list[float]
    work: dict[str, float]


@dataclass(frozen=True)
class InChromium:
    """Seconds from a click to the map: on Look, as in `LOOKS`; on another layer, and on the button that takes over a
    summary; and pointing."""

    looks: list[float]  # medians
    layers: list[float]
    taken: list[float]
    pointing: Pointing


def looks(engine: Engine, num_tokens: int) -> Iterator[tuple[str, Look]]:
    """Each view of a text that the engine has not seen yet."""
    looking = Looking(engine)
    for number, (name, view) in enumerate(VIEWS.items()):
        text, target = text_of(engine, num_tokens, start=number), text_of(engine, TARGET_TOKENS, start=number)
        forced = engine.force(TASK, text, target)

        def look(forced=forced, target=target, view=view) -> tuple:
            return drawn(looking, looking.explored(forced, target), *view)

        first, _ = timed(look)
        again, (shape, tokens, figure, table) = timed(look)
        yield name, Look(first, again, shape, {"texts": len(tokens), "map": len(figure), "table": len(table)})


def drawn(
    looking: Looking, explored: Explored, kind: AttentionKind, layer: int | Combination, grain: Grain
) -> tuple[tuple[int, int], bytes, bytes, bytes]:
    """The size of the map, and its views as they are sent."""
    look = links.Look(kind, layer, (), grain)
    seen = looking.seen(explored, look)
    _, tokens, figure, table, *_ = views_of(seen, look, None)
    size = len(seen.record.targets), len(seen.record.sources)
    return size, tokens.encode(), figure.to_json().encode(), table.encode()


def timed(act: Callable[[], tuple]) -> tuple[float, tuple]:
    started = time.monotonic()
    result = act()
    return time.monotonic() - started, result


def text_of(engine: Engine, num_tokens: int, start: int = 0) -> str:
    """As many whole sentences as fit, from the example number `start` on."""
    texts = [text for title, text in examples(TASK).items() if "fails" not in title]
    sentences = [each for text in texts[start:] + texts[:start] for each in re.split(r"(?<=\.) ", text)]
    kept = ""
    for text in accumulate(cycle(sentences), lambda before, sentence: f"{before} {sentence}"):
        if engine.count_tokens(TASK, text).num_tokens > num_tokens:
            return kept
        kept = text


def in_chromium(engine: Engine, num_tokens: int, target_tokens: int) -> InChromium | None:
    """None without a Chromium."""
    with serve(engine) as address, sync_playwright() as playwright:
        browser = open_chromium(playwright)
        if browser is None:
            return None
        expect.set_options(timeout=PATIENCE)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.get_by_role("tab", name="Attention", exact=True).click()
        panel = explorer(page)
        panel.get_by_label("Summarize", exact=True).check()
        target = panel.get_by_role("textbox", name=re.compile("^What was written"))
        texts = [text_of(engine, num_tokens, start=len(VIEWS) + number) for number in range(2)]
        numbers, looks = count(), []
        for place, until_output, until_press, times in LOOKS.values():
            seconds = []
            if box(panel).input_value() != texts[place]:
                box(panel).fill(texts[place])
                page.wait_for_timeout(until_output)
            for number in islice(numbers, times):
                target.fill(f"{text_of(engine, target_tokens, number)} {number}.")  # no two are equal
                page.wait_for_timeout(until_press)
                seconds.append(seconds_to_the_map(panel, button(panel, "Look")))
            looks.append(median(seconds))
        layers = [seconds_to_the_map(panel, layer_choice(panel, number)) for number in (2, 3, 4)]
        found = pointing(page, panel)
        texts = [text_of(engine, num_tokens, start) for start in range(2)]
        taken = list(seconds_to_take_over(page, texts, target_tokens))
        browser.close()
    return InChromium(looks, layers, taken, found)


def seconds_to_take_over(page: Page, texts: list[str], target_tokens: int) -> Iterator[float]:
    """Their summaries, of that length, which the page shows with a map of their own."""
    page.get_by_role("tab", name="Summarize", exact=True).click()
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_label(WORDING_CHOICES[1][0], exact=True).check()
    open_settings(panel)
    choose_settings(panel, Beams=1, Shortest_output=target_tokens, Longest_output=target_tokens)
    for text in texts:
        page.get_by_role("tab", name="Summarize", exact=True).click()
        page.evaluate(AWAIT_MAP)
        run(panel, "Summarize", text)
        wait_until_finished(panel)
        page.evaluate("drawn")
        page.wait_for_timeout(SETTLED)
        yield seconds_to_the_map(explorer(page), button(panel, TAKE_LABEL))


def layer_choice(panel: Locator, number: int) -> Locator:
    panel.get_by_label("Layer", exact=True).click()
    return panel.page.get_by_role("option", name=re.compile(f"^{number} of"))


def seconds_to_the_map(panel: Locator, choice: Locator) -> float:
    """From the press on a choice to the frame that shows the map, by the page's own clock."""
    page = panel.page
    page.evaluate(AWAIT_MAP)
    choice.click()
    milliseconds = page.evaluate("drawn")
    expect(button(panel, "Look")).to_be_enabled()
    page.wait_for_timeout(SETTLED)
    return milliseconds / 1000


def pointing(page: Page, panel: Locator) -> Pointing:
    """At words of both texts in turn, from their beginnings to their ends."""
    page.mouse.move(0, 0)
    words = [word for pair in zip(some(written(panel)), some(read(panel)), strict=True) for word in pair]
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = work_done(session)
    times = page.evaluate(POINT, words)
    after = work_done(session)
    pace = median(times["idle"])
    return Pointing(
        [each - pace for each in times["pointing"]],
        {kind: 1000 * (after[kind] - before[kind]) / len(words) for kind in before},
    )


def some(words: Locator) -> list:
    every = words.element_handles()
    count = WORDS_POINTED_AT // 2
    return [every[number * len(every) // count] for number in range(count)]


def work_done(session) -> dict[str, float]:
    """Seconds of the page's main thread so far."""
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    names = {"script": "ScriptDuration", "style": "RecalcStyleDuration", "layout": "LayoutDuration"}
    return {kind: metrics[name] for kind, name in (names | {"all": "TaskDuration"}).items()}


def ready_engine() -> Engine:
    """With the model loaded and warm."""
    engine = Engine(EngineSettings())
    for _ in looks(engine, 200):
        pass
    return engine
