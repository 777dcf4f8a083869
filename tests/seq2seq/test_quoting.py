"""Summaries in the text's own sentences: which there are, which are chosen, and that the tasks use them as wished."""

import time
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from seq2seq.explain.attention import View, attention
from seq2seq.explain.pair import pair_of
from seq2seq.models import EncoderDecoderModel
from seq2seq.tasks import GenerationSettings, InputError, Writer, Written, write, write_batch
from seq2seq.tasks.quoting import (
    Length,
    choose,
    fair_length,
    first_glance,
    is_plain,
    places_of_tokens,
    plain_sentences,
    quotable,
    shares_of,
)
from seq2seq.tasks.sections import sentences_of
from seq2seq.tasks.writing import encode

SENTENCES = [
    "Anna Lind moved to Oslo in the spring of 1932.",
    "She opened a small bakery near the old harbour bridge.",
    "Rain fell all night, and nobody crossed the swollen river.",
    "The engineers of the county had found cracks in the bridge.",
    "It was closed for a year and opened again in March.",
]
TEXT = "The bridge\n" + " ".join(SENTENCES[:3]) + "\n\n" + " ".join(SENTENCES[3:])
QUOTED = GenerationSettings(wording="quoted")


@pytest.fixture(scope="module")
def narrow(engine):
    """Reads 64 tokens at once."""
    return engine.load("summarize", "taught")


@pytest.fixture(scope="module")
def writer(narrow):
    """Reads 640."""
    torch.manual_seed(0)
    config = deepcopy(narrow.model.config)
    config.encoder.max_position_embeddings = 640
    return Writer(EncoderDecoderModel(config).eval(), narrow.tokenizer)


def quote_of(writer, text, **settings):
    *_, result = write(writer, "summarize", text, GenerationSettings(wording="quoted", **settings))
    return result


@pytest.mark.parametrize("model", ["taught", "summarizing"])
def test_a_sentences_share_is_what_attention_for_the_first_word_gives_its_tokens(engine, model):
    """Against the attention task, which the parity tests hold to the reference library, summed by characters."""
    writer = engine.load("summarize", model)
    text = " ".join(SENTENCES[:2])
    source = writer.source("summarize", text)
    sentences = plain_sentences(text)
    last = writer.model.config.decoder.num_hidden_layers - 1
    record = attention(pair_of(writer, Written("summarize", text, (5, 6))), View("cross", last))
    weights = record.weights.mean(axis=0)[0]
    expected = [
        sum(
            weight
            for weight, token in zip(weights, record.sources, strict=True)
            if not token.special and sentence.start <= token.start < sentence.end
        )
        for sentence in sentences
    ]
    start = writer.model.config.decoder_start_token_id
    glance = first_glance(writer.model, [source.input_ids], start)[0]
    shares = shares_of(glance, places_of_tokens(source, sentences), len(sentences))
    assert shares.tolist() == pytest.approx([each / sum(expected) for each in expected], rel=1e-3)


def test_a_glance_at_rows_of_unlike_length_is_that_at_each_alone(writer):
    rows = [writer.source("summarize", " ".join(SENTENCES[:count])).input_ids for count in (1, 3, 2)]
    start = writer.model.config.decoder_start_token_id
    for row, together in zip(rows, first_glance(writer.model, rows, start), strict=True):
        torch.testing.assert_close(together[: len(row)], first_glance(writer.model, [row], start)[0])
        assert together[len(row) :].sum() == 0


def test_a_quoted_summary_is_sentences_of_the_text_in_their_order(writer):
    result = quote_of(writer, TEXT, max_new_tokens=40)
    assert result.finished
    assert result.quoted
    chosen = [sentence for sentence in SENTENCES if sentence in result.text]
    assert chosen
    assert len(chosen) < len(SENTENCES)
    assert result.text == " ".join(chosen)


@pytest.mark.parametrize("favourite", SENTENCES)
def test_what_is_looked_at_most_is_quoted(writer, monkeypatch, favourite):
    place = TEXT.index(favourite)

    def glance(model, encoder_outputs, mask, start):
        tokens = writer.source("summarize", TEXT).tokens
        return torch.tensor([[1.0 if place <= token.start < place + len(favourite) else 0.1 for token in tokens]])

    monkeypatch.setattr("seq2seq.tasks.quoting.glance_at", glance)
    assert quote_of(writer, TEXT, max_new_tokens=1).text == favourite


def test_a_long_text_is_quoted_by_sections(narrow):
    result = quote_of(narrow, "\n\n".join([TEXT] * 4))
    assert result.num_sections > 1
    assert len(result.sections) == result.num_sections
    for section in result.sections:
        assert section.quoted
        assert all(sentence.text in section.source_text for sentence in sentences_of(section.text))


def test_lengths_that_a_visitor_asks_for_are_kept_by_whole_sentences(writer):
    short, long = quote_of(writer, TEXT, max_new_tokens=5), quote_of(writer, TEXT, min_new_tokens=500)
    assert short.text in SENTENCES
    assert long.text == " ".join(SENTENCES)
    with pytest.raises(InputError, match="shortest output .* more than the longest"):
        quote_of(writer, TEXT, min_new_tokens=50, max_new_tokens=20)


def test_a_batch_quotes_what_each_text_quotes_alone(writer):
    texts = [TEXT, " ", "\n\n".join([TEXT] * 3), "Rain fell."]
    first, blank, *others = write_batch(writer, "summarize", texts, QUOTED)
    assert isinstance(blank, InputError)
    for text, output in zip([texts[0], *texts[2:]], [first, *others], strict=True):
        assert output == quote_of(writer, text).text


def test_the_checkpoint_says_how_long_a_text_is_quoted(writer, monkeypatch):
    parameters = {"summarize": {"prefix": writer.parameters("summarize").prefix, "quote_beyond": 60}}
    monkeypatch.setattr(writer.model.config, "task_specific_params", parameters)
    texts = [TEXT, SENTENCES[0]]
    assert [writer.quotes("summarize", text, GenerationSettings()) for text in texts] == [True, False]
    assert not writer.quotes("summarize", TEXT, GenerationSettings(wording="own"))
    *_, long = write(writer, "summarize", TEXT)
    *_, short = write(writer, "summarize", SENTENCES[0])
    assert long.quoted
    assert not short.quoted
    assert write_batch(writer, "summarize", texts) == [long.text, short.text]


@pytest.mark.parametrize("task", ["fuse", "split"])
def test_only_summaries_are_quoted(writer, task):
    with pytest.raises(InputError, match="Only a summary"):
        list(write(writer, task, TEXT, QUOTED))
    assert isinstance(write_batch(writer, task, [TEXT], QUOTED)[0], InputError)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "no stops here",
        "- one\n- two\n- three",
        "שלום עולם, נעים מאוד.",
        "😀 12",
        "word " * 90,
        "中文。" * 5,
        "?\n!\nx",
    ],
)
def test_texts_without_plain_sentences_are_quoted_too(writer, text):
    result = quote_of(writer, text)
    assert result.text
    assert set(result.text) <= set(text) | {" "}


def test_attention_can_be_looked_at_however_long_the_quotes_are(writer):
    """The decoder has 64 positions."""
    result = quote_of(writer, "\n".join(["word " * 30] * 2 + ["and then " * 25]), min_new_tokens=400)
    room = writer.model.config.decoder.max_position_embeddings
    for section in result.sections:
        assert len(section.target_ids) < room
        attention(pair_of(writer, Written("summarize", section.source_text, section.target_ids)), View("cross", 0))


@pytest.mark.parametrize(
    ("scores", "wanted", "chosen"),
    [([3, 1, 2], 1, [0]), ([3, 1, 2], 20, [0]), ([3, 1, 2], 26, [0, 2]), ([1, 3, 2], 100, [0, 1, 2])],
)
def test_sentences_are_taken_as_long_as_that_comes_nearer_the_length(scores, wanted, chosen):
    assert choose(scores, [10, 10, 30], Length(wanted)) == chosen


def test_a_longest_output_is_not_passed_but_by_one_sentence_alone():
    assert choose([2, 1], [10, 10], Length(16, most=19)) == [0]
    assert choose([2, 1], [10, 10], Length(16, most=20)) == [0, 1]
    assert choose([2, 1], [10, 10], Length(5, most=5)) == [0]


@pytest.mark.parametrize(
    ("shares", "lengths", "chosen"),
    [
        ([0.4, 0.39, 0.21], [30, 30, 30], [0, 1]),  # as good as the best
        ([0.5, 0.29, 0.21], [30, 30, 30], [0]),
        ([0.4, 0.39, 0.21], [60, 40, 30], [1]),  # a long one says more by chance; and both would be too long
        ([0.34, 0.33, 0.33], [20, 20, 20], [0, 1]),  # two, not three
    ],
)
def test_a_sentence_that_is_as_good_as_the_best_is_quoted_beside_it(shares, lengths, chosen):
    assert choose(shares, lengths, Length(wanted=1)) == chosen


def test_a_summary_grows_slower_than_its_text():
    assert fair_length(500) == 81
    assert fair_length(4000) == 253


def test_a_sentence_that_is_repeated_stands_where_it_is_first():
    first, second = (f"The {name} river rose by a foot in a day." for name in ("Lenz", "Holm"))
    assert [(each.text, each.start) for each in plain_sentences(f"{first} {second} {first}")] == [
        (first, 0),
        (second, len(first) + 1),
    ]


def test_headings_lists_and_questions_are_no_plain_sentences():
    assert all(map(is_plain, SENTENCES))
    others = [
        "A heading",
        "Too short.",
        "and so it went on and on and on.",
        "Who opened the old bridge again in March?",
    ]
    assert not any(map(is_plain, others))
    text = "\n".join([TEXT, *others, TEXT])
    assert [each.text for each in quotable(text)] == SENTENCES


def test_sentences_end_at_stops_and_at_line_ends():
    assert texts_of("Dr. Ray left. He ran\n\n  far. ") == ["Dr. Ray left.", "He ran", "far."]


def texts_of(text):
    sentences = sentences_of(text)
    assert all(" ".join(text[each.start : each.end].split()) == each.text for each in sentences)
    return [each.text for each in sentences]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The mayor of the town, who had backed the plan\nfrom the start, said that nobody would be\nasked to pay. "
            "He then left.",
            ["The mayor of the town, who had backed the plan from the start, said that nobody would be asked to pay.",
             "He then left."],
        ),
        ("The bridge\nIt was built in 1932, and closed in the spring of that very year.",
         ["The bridge", "It was built in 1932, and closed in the spring of that very year."]),
        ("one\n\ntwo", ["one", "two"]),
        ("milk\neggs\nflour", ["milk", "eggs", "flour"]),
    ],
)  # fmt: skip
def test_wrapped_lines_are_joined_and_others_are_not(text, expected):
    assert texts_of(text) == expected


def test_lines_without_letters_are_never_quoted(writer):
    assert quote_of(writer, "\u200f\nשלום עולם, נעים מאוד\n\ufeff").text == "שלום עולם, נעים מאוד"


def test_the_time_of_a_quoted_summary_is_that_of_reading_it_too(writer, monkeypatch):
    def slow(*given):
        time.sleep(0.2)
        return encode(*given)

    monkeypatch.setattr("seq2seq.tasks.writing.encode", slow)
    new = replace(writer)  # which has read nothing yet
    assert quote_of(new, TEXT).sections[0].seconds >= 0.2
