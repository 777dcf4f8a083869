"""What a visitor sees of a published model, which has to be fetched before it can work."""

from __future__ import annotations

import pytest

from demo import wording
from demo.answering import UNCHANGED, Answering
from demo.exploring import Exploring
from demo.handlers import Handlers, end, model_options
from demo.layout import build
from demo.looking import Looking
from demo.model_cards import facts, models_of, overview, section
from demo.setting_fields import FIELDS
from seq2seq.engine import Engine, EngineSettings, Loading
from seq2seq.engine.published import OFFERED
from tests.demo.stand_in import StandInEngine
from tests.demo.test_pattern import form

DISCOFUSE = "google/roberta2roberta_L-24_discofuse"
TEXT = "Rain fell all night. The river rose."
EMPTY = ("",) * len(FIELDS)
SAID = [f"Fetching the model, once for everybody: {done} of 2.00 GB" for done in ("0.00 GB", "0.50 GB")]


class FetchingEngine(StandInEngine):
    """Its models are fetched at every request, in two steps."""

    def loading(self, task, model=None):
        yield Loading(0, 2_000_000_000)
        yield Loading(500_000_000, 2_000_000_000)


@pytest.fixture
def engine() -> FetchingEngine:
    return FetchingEngine(seconds_per_token=0)


@pytest.fixture(scope="module")
def offering() -> Engine:
    return Engine(EngineSettings(published="all"))


@pytest.fixture(params=["generate", "look", "answer", "pattern"])
def snapshots(engine, request):
    """What the result shows, of a run of every kind."""
    runs = {
        "generate": lambda: Handlers(engine).generate("fuse", TEXT, None, "automatic", False, *EMPTY),
        "look": lambda: Looking(engine).look("fuse", TEXT, "", None),
        "pattern": lambda: Exploring(engine).read(TEXT, "stand-in", *form()),
        "answer": lambda: Answering(engine).read("What rose?", "The [river] rose.", None),
    }
    return (shown for shown, *_ in runs[request.param]())


def test_a_bar_shows_how_much_is_there_and_the_run_follows(snapshots):
    first, second, *_ = shown = list(snapshots)
    assert [each["progress"]["says"] for each in (first, second)] == SAID
    assert (second["progress"]["done"], second["progress"]["of"]) == (500_000_000, 2_000_000_000)
    assert first["running"]
    assert first["text"] == ""
    assert shown[-1]["text"] or shown[-1]["notes"]
    assert not shown[-1]["progress"]


def test_whoever_cancels_reads_that_it_goes_on(snapshots):
    *_, stopped = end(next(snapshots))
    assert stopped["progress"]["says"] == wording.FETCHED_ALL_THE_SAME
    assert not stopped["running"]


def test_no_views_change_while_a_model_that_answers_is_fetched(engine):
    first, *_ = Answering(engine).read("What rose?", "The [river] rose.", None)
    assert first[1:] == UNCHANGED


def test_nothing_is_fetched_to_count_a_text(offering):
    said = Handlers(offering).count("fuse", TEXT, DISCOFUSE)
    assert said == "RoBERTa large, DiscoFuse has to be fetched first, 1.82 GB. That is done once. Ctrl+Enter runs."
    assert "0.53 GB" in Answering(offering).count(TEXT, "google/bigbird-base-trivia-itc")
    assert "tokens" in Handlers(offering).count("fuse", TEXT, None)


def test_the_page_is_built_without_the_hub_and_offers_each_with_its_cost(offering):
    build(offering)
    choices = model_options(offering, "fuse")
    assert choices["choices"][-1] == ("RoBERTa large, DiscoFuse · reads 512 tokens · 1.82 GB from the Hub", DISCOFUSE)
    assert choices["value"] != DISCOFUSE


def test_each_has_a_card_that_says_what_is_known(offering):
    models = {model.about.name: model for model in models_of(offering)}
    assert set(OFFERED) < set(models)
    assert list(facts(models[DISCOFUSE]).values()) == ["Fuse", "nothing", "512 tokens", "1,820 MB", "apache-2.0"]
    card = section(models[DISCOFUSE])
    assert "SARI 90.3" in card
    assert f"href='https://huggingface.co/{DISCOFUSE}'" in card.replace('"', "'")
    assert "RoBERTa large, DiscoFuse" in overview(models.values())
