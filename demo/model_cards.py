"""What there is to tell of each model, and its card as HTML. Knows no widgets.

A card is Markdown that anybody may have written. Its raw HTML is shown as it was written, its pictures are named
and not fetched, and only its links to whole addresses are links.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import ModelCard as HubCard
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from markdown_it import MarkdownIt
from markdown_it.token import Token

from demo import wording
from seq2seq.engine import Engine, ModelCard
from seq2seq.tasks import SKILLS, Skill

CARD_FILE = "README.md"
MOST_BYTES = 200_000  # of a card's file
MOST_HEAD = 32_000  # characters of its front matter, whose YAML takes a second to read
HUB = "https://huggingface.co/"
WHOLE_ADDRESS = ("https://", "http://", "mailto:")
HIGHEST_HEADING, LOWEST_HEADING = 3, 6  # the page's own stand above


@dataclass(frozen=True)
class CardFile:
    """A model's card as it lies in its folder."""

    licence: str  # "" if it does not say
    text: str  # Markdown, without the front matter
    broken: bool = False  # the front matter cannot be read


@dataclass(frozen=True)
class Model:
    """One model of the engine, and the card that it has or has not."""

    about: ModelCard
    default_for: tuple[Skill, ...]
    card: CardFile | None


def models_of(engine: Engine) -> tuple[Model, ...]:
    """Every model of the engine, those first that do what the page's first tabs are for."""
    able = {skill: engine.models(skill) for skill in SKILLS}
    every = {about.name: about for cards in able.values() for about in cards}
    return tuple(
        Model(
            about=about,
            default_for=tuple(skill for skill, cards in able.items() if about in cards[:1]),
            card=card_of(about),
        )
        for about in every.values()
    )


def card_of(about: ModelCard) -> CardFile | None:
    """The card in its folder, or what is known of a published model; None if there is neither."""
    if about.published:
        address = HUB + quote(about.name)
        return CardFile(about.published.licence, f"{wording.published(about)} [{address}]({address})")
    return read_card(about.folder / CARD_FILE) if about.folder else None


def read_card(path: Path) -> CardFile | None:
    """The card in this file; None if there is no such file of the model's own, none that can be read, or a giant."""
    try:
        content = _own_bytes(path)
    except (OSError, RuntimeError):  # pathlib's word for links in a circle
        return None
    if content is None:
        return None
    text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    head = REGEX_YAML_BLOCK.search(text)
    if head and len(head.group()) > MOST_HEAD:
        return CardFile(licence="", text=text[head.end() :], broken=True)
    try:
        card = HubCard(text, ignore_metadata_errors=True)
    except Exception:  # YAML and what is made of it fail in many ways; whichever it is, the text can be shown
        return CardFile(licence="", text=text[head.end() :], broken=True)
    return CardFile(licence=_licence(card), text=card.text)


def _own_bytes(path: Path) -> bytes | None:
    """What a file holds that lies in its folder, or as a download's does in the cache; None for any other or a giant.

    A link may lead to what only the host should see, a pipe keep its reader for ever. Raises: OSError, RuntimeError.
    """
    file, folder = path.resolve(strict=True), path.parent.resolve()
    own = [folder, folder.parent.parent / "blobs"] if folder.parent.name == "snapshots" else [folder]
    if not file.is_file() or not any(file.is_relative_to(each) for each in own):
        return None
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    return content if len(content) <= MOST_BYTES else None


def _licence(card: HubCard) -> str:
    """As the front matter names it, by its own name where it is none of the well-known ones."""
    stated = vars(card.data)
    named = stated.get("license_name") or stated.get("license")
    names = named if isinstance(named, list) else [named]
    return ", ".join(name for name in names if isinstance(name, str))


def facts(model: Model) -> dict[str, str]:
    """What is told of every model, by what it is called."""
    about = model.about
    values = (
        wording.skills(about.tasks),
        wording.skills(model.default_for),
        wording.tokens(about.max_source_tokens),
        wording.model_size(about.num_bytes, about.num_parameters),
        (model.card and model.card.licence) or wording.NOT_STATED,
    )
    return dict(zip(wording.MODEL_FACTS, values, strict=True))


def overview(models: Iterable[Model]) -> str:
    """All models side by side, as an HTML table."""
    columns = "".join(f"<th scope='col'>{label}</th>" for label in (wording.MODEL_LABEL, *wording.MODEL_FACTS))
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(model.about.title)}</th>"
        + "".join(f"<td>{html.escape(value)}</td>" for value in facts(model).values())
        + "</tr>"
        for model in models
    )
    table = f"<table class='links'><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"
    return _scroll_open(wording.MODELS_TITLE) + table + "</div>"


def section(model: Model) -> str:
    """One model: its facts, and its card or that it has none, as HTML."""
    title = html.escape(model.about.title)
    terms = "".join(f"<div><dt>{label}</dt><dd>{html.escape(fact)}</dd></div>" for label, fact in facts(model).items())
    return f"<article aria-label='{title}'><dl>{terms}</dl>{_card(model)}</article>"


def _card(model: Model) -> str:
    if model.card is None:
        return f"<p>{wording.NO_CARD}{_hub_link(model.about)}</p>"
    notice = f"<p><em>{wording.CARD_BROKEN}</em></p>" if model.card.broken else ""
    return notice + card_html(model.card.text, model.about.title)


def _hub_link(about: ModelCard) -> str:
    """To the page of a model that is not in a folder."""
    if about.folder:
        return ""
    link = f"{HUB}{quote(about.name)}"
    return f" {wording.CARD_ON_HUB} <a href='{link}' target='_blank' rel='noopener noreferrer'>{link}</a>"


def card_html(text: str, title: str) -> str:
    """A card's Markdown as HTML, without its title and with its headings below the page's own."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    tokens = _without_title(markdown.parse(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = _lowered(token.tag)
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "inline":
            _tame(token.children)
    return markdown.renderer.render(tokens, markdown.options, {"title": title})


def _without_title(tokens: list[Token]) -> list[Token]:
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return tokens[3:]  # its opening, its words, its end
    return tokens


def _lowered(tag: str) -> str:
    return f"h{min(max(int(tag[1:]) + 1, HIGHEST_HEADING), LOWEST_HEADING)}"


def _tame(tokens: Sequence[Token]) -> None:
    """Pictures become their description, links to anything but a whole address become text."""
    is_link = False
    for token in tokens:
        if token.type == "image":
            token.type = "text"
        elif token.type == "link_open":
            is_link = token.attrs["href"].lower().startswith(WHOLE_ADDRESS)
            token.attrs = token.attrs | {"target": "_blank", "rel": "noopener noreferrer"} if is_link else {}
        if token.type in ("link_open", "link_close"):
            token.tag = "a" if is_link else "span"


def _table_open(renderer, tokens: Sequence[Token], index: int, options, env) -> str:
    return _scroll_open(wording.card_table(env["title"])) + renderer.renderToken(tokens, index, options, env)


def _table_close(renderer, tokens: Sequence[Token], index: int, options, env) -> str:
    return renderer.renderToken(tokens, index, options, env) + "</div>"


def _scroll_open(label: str) -> str:
    """The start of a box in which a wide table scrolls, also by keyboard."""
    return f"<div class='scroll' role='region' tabindex='0' aria-label='{html.escape(label)}'>"
