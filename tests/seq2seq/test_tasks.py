"""A text through a task: cleaning, reading, streaming, cancelling, batches."""

from itertools import islice

import pytest

from seq2seq.attention.tape import running_tape
from seq2seq.explain.attention import View, attention
from seq2seq.explain.pair import forced, pair_of
from seq2seq.tasks import Generated, GenerationSettings, InputError, Section, Written, write, write_batch
from seq2seq.tasks.alike import MOST_ROWS
from seq2seq.tasks.output import plain_text
from seq2seq.tasks.source import clean

TEXT = "Anna Lind moved to Oslo. She opened a small bakery."
LONG = " ".join([TEXT, "Rain fell all night; the river rose, and nobody crossed it."] * 6)
AWKWARD = [
    "a",
    "<script>alert('x')</script> and <b>bold</b>",
    "</s> <pad> <s> in the middle of a text",
    "<fuse> <fuse> twice",
    "שלום עולם, נעים מאוד",
    "👩‍👩‍👧 moved 🚚 to Oslo",
    "naïve café, ﬁne ½",
    "line one\n\n\nline\ttwo",
    "nul \x00 and bell \x07 inside",
]


@pytest.fixture(scope="session")
def writer(engine):
    return engine.load("fuse", "taught")


def finished(writer, text, **settings):
    *_, result = write(writer, "fuse", text, GenerationSettings(**settings))
    return result


def test_snapshots_grow_by_one_token_and_the_last_is_finished(writer):
    snapshots = list(write(writer, "fuse", TEXT))
    lengths = [len(snapshot.target_ids) for snapshot in snapshots]
    assert lengths == list(range(1, len(snapshots) + 1))
    assert [snapshot.finished for snapshot in snapshots] == [False] * (len(snapshots) - 1) + [True]
    assert snapshots[-1].text == plain_text(writer.tokenizer, snapshots[-1].target_ids)


def test_a_run_that_is_not_asked_on_does_no_more_work(writer, monkeypatch):
    calls = []
    logits = type(writer.model.decoder).logits
    monkeypatch.setattr(
        type(writer.model.decoder), "logits", lambda self, states: calls.append(1) or logits(self, states)
    )
    run = write(writer, "fuse", TEXT, GenerationSettings(min_new_tokens=12))
    list(islice(run, 3))
    run.close()
    assert len(calls) == 3


def test_a_text_is_encoded_once_for_what_is_written_and_for_looking_back(writer, monkeypatch):
    text = "Rain fell all night on the harbour of Holm. The river rose. Nobody crossed it."
    read = []
    encode = type(writer.model).encode
    monkeypatch.setattr(
        type(writer.model), "encode", lambda self, *given, **more: read.append(given) or encode(self, *given, **more)
    )
    run = finished(writer, text)
    attention(pair_of(writer, run.written("fuse")), View("cross", 0))
    encoded_anew = [given for given in read if len(given) < 4 or given[3] is None]
    assert len(encoded_anew) == 1


def test_who_looks_back_first_reads_unwatched(writer, monkeypatch):
    tapes = []
    encode = type(writer.model).encode
    monkeypatch.setattr(
        type(writer.model), "encode", lambda *given, **more: tapes.append(running_tape()) or encode(*given, **more)
    )
    written = forced(writer, "fuse", "Rain fell all day on the harbour of Holm.", "It rained.")
    attention(pair_of(writer, written), View("cross", 0))
    assert tapes[0] is None  # with a tape, blocks are filled up in every layer anew


@pytest.mark.parametrize("text", AWKWARD)
@pytest.mark.parametrize("num_beams", [1, 3])
def test_awkward_texts_are_written_about(writer, text, num_beams):
    result = finished(writer, text, num_beams=num_beams)
    assert result.text == plain_text(writer.tokenizer, result.target_ids)
    assert 0 < result.num_source_tokens <= writer.limit


@pytest.mark.parametrize("text", ["", "   \n\t ", "\x00\x01\x02", "...", "🙂🙂"])
def test_nothing_to_work_on_is_said_in_plain_words(writer, text):
    with pytest.raises(InputError, match="Type or paste"):
        list(write(writer, "fuse", text))


def test_cleaning_keeps_the_text_and_drops_what_cannot_be_seen():
    assert clean(" a\r\nb\rc\x00d\ud800 ") == "a\nb\ncd"


def test_a_long_text_is_cut_and_the_cut_is_counted(writer):
    result = finished(writer, "bakery " * 500)
    assert result.num_source_tokens == writer.limit == 64
    whole = writer.tokenizer("<fuse> " + clean("bakery " * 500)).input_ids
    assert result.num_cut_tokens == len(whole) - 64


def test_a_long_text_is_summarized_in_sections_each_as_if_alone(writer):
    *_, result = write(writer, "summarize", LONG)
    assert len(result.sections) == result.num_sections > 3
    assert result.num_cut_tokens == 0
    assert "".join(section.source_text for section in result.sections).replace(" ", "") == LONG.replace(" ", "")
    for section in result.sections:
        *_, alone = write(writer, "summarize", section.source_text)
        assert alone.num_sections == 1
        assert (alone.text, alone.target_ids) == (section.text, section.target_ids)
    assert result.text == "\n\n".join(section.text for section in result.sections)


def test_snapshots_of_a_long_text_go_on_through_its_sections(writer):
    snapshots = list(write(writer, "summarize", LONG))
    total = snapshots[0].num_sections
    assert [snapshot.num_target_tokens for snapshot in snapshots] == list(range(1, len(snapshots) + 1))
    assert [snapshot.finished for snapshot in snapshots] == [False] * (len(snapshots) - 1) + [True]
    assert {len(snapshot.sections) for snapshot in snapshots} == set(range(1, total + 1))
    for before, after in zip(snapshots, snapshots[1:], strict=False):
        assert after.sections[: len(before.sections) - 1] == before.sections[:-1]
    assert snapshots[-1].num_finished_sections == total
    for snapshot in snapshots:
        assert (snapshot.seconds_left is None) == (len(snapshot.sections) == 1)
        assert snapshot.finished or snapshot.num_finished_sections == len(snapshot.sections) - 1


def test_the_time_left_is_that_of_the_sections_before(writer):
    def section(seconds: float) -> Section:
        return Section("Rain fell.", "Rain.", (5,), 4, 0, seconds)

    assert Generated((section(2.0), section(4.0), section(1.0)), 6).seconds_left == 3 * 4 - 1
    assert Generated((section(1.0), section(9.0)), 2).seconds_left == 0


def test_cancelling_in_a_later_section_stops_there(writer, monkeypatch):
    calls = []
    logits = type(writer.model.decoder).logits
    monkeypatch.setattr(
        type(writer.model.decoder), "logits", lambda self, states: calls.append(1) or logits(self, states)
    )
    run = write(writer, "summarize", LONG, GenerationSettings(min_new_tokens=12, max_new_tokens=12))
    *_, snapshot = islice(run, 15)
    run.close()
    assert len(snapshot.sections) == 2
    assert len(calls) == 15


@pytest.mark.parametrize("task", ["fuse", "split"])
def test_a_long_text_is_not_fused_or_split_in_sections(writer, task):
    *_, result = write(writer, task, LONG)
    assert result.num_sections == 1
    assert result.num_cut_tokens > 0


def test_stretches_without_words_are_no_sections(writer):
    text = f"{TEXT}\n\n{'- ' * 300}\n\n{TEXT}"
    *_, result = write(writer, "summarize", text)
    assert [section.source_text.count("Anna") for section in result.sections] == [1, 1]
    assert writer.count("summarize", text).num_sections == result.num_sections == 2


def test_each_section_can_be_looked_back_at(writer):
    *_, result = write(writer, "summarize", LONG)
    for section in result.sections:
        record = attention(
            pair_of(writer, Written("summarize", section.source_text, section.target_ids)), View("cross", 1)
        )
        assert record.weights.shape[1:] == (len(section.target_ids), section.num_source_tokens)
        assert record.target_text == section.text


def test_source_tokens_cover_the_text_and_the_prompt_is_special(writer):
    source = writer.source("fuse", TEXT)
    read = [token for token in source.tokens if not token.special and token.text]
    assert "".join(token.text for token in read) == TEXT.replace(" ", "")
    assert all(TEXT[token.start : token.end] == token.text for token in read)
    assert any(token.special and "<fuse>" in token.text for token in source.tokens)


def test_sampling_repeats_with_its_seed_and_differs_with_another(writer):
    outputs = [finished(writer, TEXT, do_sample=True, temperature=3.0, seed=seed).target_ids for seed in (1, 1, 2)]
    assert outputs[0] == outputs[1] != outputs[2]


def test_settings_out_of_range_are_named(writer):
    with pytest.raises(InputError, match="num_beams"):
        finished(writer, TEXT, num_beams=0)
    with pytest.raises(InputError, match="min_new_tokens"):
        finished(writer, TEXT, min_new_tokens=9, max_new_tokens=3)


def test_more_tokens_than_the_decoder_has_positions_are_not_asked_for(writer):
    assert len(finished(writer, TEXT, max_new_tokens=10_000, min_new_tokens=60).target_ids) <= 63


def test_a_batch_gives_what_each_text_gives_alone(writer):
    texts = [TEXT, "Rain fell.", "", "The bridge was built in 1932. It was closed in the spring."]
    outputs = write_batch(writer, "split", texts)
    for text, output in zip(texts, outputs, strict=True):
        if text:
            *_, alone = write(writer, "split", text)
            assert output == alone.text
        else:
            assert isinstance(output, InputError)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_batch_of_long_and_short_texts_gives_what_each_gives_alone(writer, num_beams):
    texts = [LONG, TEXT, " ", "Rain fell.", LONG * 3, "The bridge was built in 1932."]
    settings = GenerationSettings(num_beams=num_beams)
    outputs = write_batch(writer, "summarize", texts, settings)
    sections = 0
    for text, output in zip(texts, outputs, strict=True):
        if text.strip():
            *_, alone = write(writer, "summarize", text, settings)
            assert output == alone.text
            sections += alone.num_sections
        else:
            assert isinstance(output, InputError)
    assert sections > MOST_ROWS
