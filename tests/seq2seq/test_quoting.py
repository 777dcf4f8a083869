"""Summaries in the text's own sentences: which there are, which are chosen, and that the tasks use them as wished."""

from copy import deepcopy

import pytest
import torch

from seq2seq.models import EncoderDecoderModel
from seq2seq.tasks import GenerationSettings, InputError, Writer, attention, write, write_batch
from seq2seq.tasks.quoting import Length, Quotable, choose, fair_length, is_plain, quotable
from seq2seq.tasks.sections import sentences_of
from seq2seq.tasks.writing import prompt_of

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
def test_likelihoods_of_given_tokens_are_those_of_one_forward_pass(engine, model):
    writer = engine.load("summarize", model)
    source = torch.tensor([writer.source("summarize", TEXT).input_ids])
    continuations = torch.randint(4, 60, (7, 5), generator=torch.Generator().manual_seed(1))
    found = writer.model.log_probabilities(source, continuations)
    start = torch.full((7, 1), writer.model.config.decoder_start_token_id)
    with torch.no_grad():
        logits = writer.model(
            input_ids=source.expand(7, -1), decoder_input_ids=torch.cat([start, continuations[:, :-1]], dim=1)
        ).logits
    expected = logits.log_softmax(dim=-1).gather(2, continuations[..., None])[..., 0]
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_quoted_summary_is_sentences_of_the_text_in_their_order(writer):
    result = quote_of(writer, TEXT, max_new_tokens=40)
    assert result.finished
    assert result.quoted
    chosen = [sentence for sentence in SENTENCES if sentence in result.text]
    assert 1 <= len(chosen) < len(SENTENCES)
    assert result.text == " ".join(chosen)


def test_what_is_chosen_is_what_the_model_finds_likeliest_to_come_first(writer):
    """Against one forward pass a sentence."""
    source = torch.tensor([writer.source("summarize", TEXT).input_ids])
    start = torch.full((1, 1), writer.model.config.decoder_start_token_id)

    def score(sentence):
        ids = torch.tensor([writer.tokenizer(sentence).input_ids[:8]])
        with torch.no_grad():
            logits = writer.model(input_ids=source, decoder_input_ids=torch.cat([start, ids[:, :-1]], dim=1)).logits
        return logits.log_softmax(dim=-1).gather(2, ids[..., None]).mean().item()

    assert quote_of(writer, TEXT, max_new_tokens=1).text == max(SENTENCES, key=score)


def test_a_long_text_is_quoted_by_sections(narrow):
    result = quote_of(narrow, "\n\n".join([TEXT] * 4))
    assert result.num_sections > 1
    assert len(result.sections) == result.num_sections
    for section in result.sections:
        assert section.quoted
        assert all(sentence in section.source_text for sentence in sentences_of(section.text))


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
    parameters = {"summarize": {"prefix": prompt_of(writer.model.config, "summarize"), "quote_beyond": 60}}
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
        attention(writer, "summarize", section.source_text, section.target_ids, "cross", 0)


def sentence(text, num_tokens):
    return Quotable(text, tuple(range(num_tokens)))


def test_sentences_are_taken_as_long_as_that_comes_nearer_the_length():
    sentences = [sentence("a", 10), sentence("b", 10), sentence("c", 30)]
    assert [each.text for each in choose(sentences, [-1, -3, -2], Length(1))] == ["a"]
    assert [each.text for each in choose(sentences, [-1, -3, -2], Length(20))] == ["a"]
    assert [each.text for each in choose(sentences, [-1, -3, -2], Length(26))] == ["a", "c"]
    assert [each.text for each in choose(sentences, [-3, -1, -2], Length(100))] == ["a", "b", "c"]


def test_a_longest_output_is_not_passed_but_by_one_sentence_alone():
    sentences = [sentence("a", 10), sentence("b", 10)]
    assert [each.text for each in choose(sentences, [-1, -2], Length(16, most=19))] == ["a"]
    assert [each.text for each in choose(sentences, [-1, -2], Length(16, most=20))] == ["a", "b"]
    assert [each.text for each in choose(sentences, [-1, -2], Length(5, most=5))] == ["a"]


def test_a_summary_grows_slower_than_its_text():
    assert fair_length(500) == 111
    assert fair_length(4000) == 222


def test_headings_lists_and_questions_are_no_plain_sentences(writer):
    assert all(map(is_plain, SENTENCES))
    others = [
        "A heading",
        "Too short.",
        "and so it went on and on and on.",
        "Who opened the old bridge again in March?",
    ]
    assert not any(map(is_plain, others))
    text = "\n".join([TEXT, *others, TEXT])
    assert [each.text for each in quotable(text, writer.tokenizer)] == SENTENCES


def test_sentences_end_at_stops_and_at_line_ends():
    assert sentences_of("Dr. Ray left. He ran\n\n  far. ") == ["Dr. Ray left.", "He ran", "far."]


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
    assert sentences_of(text) == expected


def test_lines_without_letters_are_never_quoted(writer):
    assert quote_of(writer, "\u200f\nשלום עולם, נעים מאוד\n\ufeff").text == "שלום עולם, נעים מאוד"
