"""Answering: windows, the distribution over spans, whole words, what a reader says, and batches against one by one."""

import math
from collections import defaultdict
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.models import (
    BigBirdConfig,
    BigBirdForQuestionAnswering,
    BigBirdPegasusConfig,
    BigBirdPegasusForQuestionAnswering,
)
from seq2seq.tasks import AnswerSettings, InputError, Reader
from seq2seq.tasks.answer import answer, answer_many
from seq2seq.tasks.passage import words_of
from seq2seq.tasks.spans import Window, by_words, calibrated, distribution, likeliest, span_scores, windows_over
from seq2seq.tokenizers import BertTokenizer, PegasusTokenizer
from seq2seq.trace import Token
from seq2seq.training.vocabulary import train_sentencepiece

QUESTION = "Where did Anna Lind move?"
TEXT = "Anna Lind moved to Oslo in 2011. She opened a small bakery there, near the river."
FILLING = "Rain fell all night, and the river rose. "
LONG = FILLING * 8 + TEXT + " " + FILLING * 8
AWKWARD = [
    "a",
    "<b>bold</b> [SEP] in [CLS] the [PAD] middle",
    "one\n\n\ttwo   three",
    "שלום עולם, נעים מאוד",
    "👩‍👩‍👧 moved 🚚 to Oslo",
    "naïve café, ﬁne ½",
    "東京は日本の首都です。",
    "nul \x00 and bell \x07 inside",
]
PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"abcdefghijklmnopqrstuvwxyz0123456789.,?!-",
    "the",
    "river",
    "oslo",
    "anna",
]
PIECES += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]


@pytest.fixture(scope="module")
def spiece(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "spiece.model"
    train_sentencepiece([TEXT, FILLING, QUESTION] * 20, path, 300, [])
    return path


def bigbird(**extra) -> Reader:
    """Reads 256 tokens at once, and more than 28 sparsely."""
    torch.manual_seed(0)
    tokenizer = BertTokenizer({piece: number for number, piece in enumerate(PIECES)})
    config = BigBirdConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=256, initializer_range=0.4, block_size=4, num_random_blocks=1,
        sep_token_id=tokenizer.sep_token_id, **extra,
    )  # fmt: skip
    return Reader(BigBirdForQuestionAnswering(config).eval(), tokenizer)


def bigbird_pegasus(spiece) -> Reader:
    """Likewise."""
    torch.manual_seed(0)
    tokenizer = PegasusTokenizer(vocab_file=spiece, offset=0, mask_token="[MASK]", mask_token_sent=None)
    config = BigBirdPegasusConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=256, init_std=0.4,
        block_size=4, num_random_blocks=1,
    )  # fmt: skip
    return Reader(BigBirdPegasusForQuestionAnswering(config).eval(), tokenizer)


@pytest.fixture(scope="module", params=["BigBird", "BigBird-Pegasus"])
def reader(request, spiece) -> Reader:
    return bigbird() if request.param == "BigBird" else bigbird_pegasus(spiece)


def finished(reader, question, context, **chosen):
    *_, reading = answer(reader, question, context, AnswerSettings(**chosen))
    return reading.answer


# Windows


@given(st.data())
def test_windows_cover_a_text_and_every_span_has_one_that_sees_most_around_it(data):
    length, room = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 60))
    overlap = data.draw(st.integers(0, room // 2))
    windows = windows_over(length, room, overlap)
    assert [window.first for window in windows] == [0, *(window.last for window in windows[:-1])]
    assert windows[-1].last == length == windows[-1].end
    assert all(window.end - window.start == min(room, length) for window in windows)
    assert all(before.end - after.start >= overlap for before, after in zip(windows, windows[1:], strict=False))
    for window in windows:
        for token in range(window.first, window.last):
            seen = [seen_around(token, other, length) for other in windows if other.start <= token < other.end]
            assert seen_around(token, window, length) == max(seen)
            assert window.start <= token < window.end
            assert min(token + 1 + overlap // 2, length) <= window.end


def seen_around(token: int, window: Window, length: int) -> float:
    """How far the window reaches from a token before text is missing on either side."""
    before = token - window.start if window.start > 0 else math.inf
    after = window.end - 1 - token if window.end < length else math.inf
    return min(before, after)


def test_as_few_windows_as_possible():
    assert len(windows_over(100, 100, 20)) == 1
    assert len(windows_over(180, 100, 20)) == 2
    assert len(windows_over(181, 100, 20)) == 3


# The distribution over spans, against one made by looking at each span in turn


def odds_one_by_one(starts, ends, no_answer, max_tokens) -> dict[tuple[int, int], float]:
    return {
        (first, last): math.exp(starts[first] + ends[last] - no_answer)
        for first in range(len(starts))
        for last in range(first, min(len(ends), first + max_tokens))
        if starts[first] > -math.inf and ends[last] > -math.inf
    }


def without_blanks(odds: dict[tuple[int, int], float], tokens: tuple[Token, ...]) -> dict[tuple[int, int], float]:
    """No answer begins or ends with a token that stands for white space alone."""
    return {span: weight for span, weight in odds.items() if all(tokens[token].text for token in span)}


scores_of_tokens = st.lists(
    st.tuples(*[st.one_of(st.floats(-20, 20), st.just(-math.inf))] * 2), min_size=1, max_size=25
).map(lambda pairs: np.array(pairs).T)


@given(scores_of_tokens, st.floats(-20, 20), st.integers(1, 30))
def test_probabilities_are_those_of_each_span_counted_alone(scores, no_answer, max_tokens):
    starts, ends = scores
    odds = odds_one_by_one(starts, ends, no_answer, max_tokens)
    total = 1 + sum(odds.values())
    found = distribution(span_scores(starts, ends, no_answer, max_tokens))
    assert found.no_answer == pytest.approx(1 / total)
    assert found.spans.sum() + found.no_answer == pytest.approx(1)
    for first, row in enumerate(found.spans):
        for more, probability in enumerate(row):
            assert probability == pytest.approx(odds.get((first, first + more), 0) / total, abs=1e-12)
    for token in range(len(starts)):
        assert found.starts[token] == pytest.approx(sum(odds[s] for s in odds if s[0] == token) / total, abs=1e-12)
        assert found.ends[token] == pytest.approx(sum(odds[s] for s in odds if s[1] == token) / total, abs=1e-12)


def test_scores_far_from_zero_neither_overflow_nor_vanish():
    found = distribution(span_scores(np.array([900.0, -900.0]), np.array([899.0, 900.0]), -900.0, 2))
    assert found.spans[0, 1] == pytest.approx(1 / (1 + math.exp(-1)))
    assert found.no_answer == 0.0


def test_a_calibrated_score_is_penalized_by_length_then_divided_then_held_against_a_head_start_of_no_answer():
    scores = np.array([[4.0, 5.0, -np.inf], [1.0, -np.inf, -np.inf]])
    assert calibrated(scores, length_penalty=0.5, temperature=2.0, no_answer_bias=1.0).tolist() == [
        [1.0, 1.25, -np.inf], [-0.5, -np.inf, -np.inf],
    ]  # fmt: skip
    assert calibrated(scores, 0.0, 1.0, 0.0).tolist() == scores.tolist()


def test_a_checkpoint_that_penalizes_length_answers_in_fewer_words(reader):
    best = [finished(reader, QUESTION, TEXT, length_penalty=penalty).spans[0].text for penalty in (-5.0, 50.0)]
    assert len(best[0].split()) > 1
    assert len(best[1].split()) == 1


def test_a_head_start_of_no_answer_raises_its_probability_and_keeps_the_order_of_spans(reader):
    plain, doubting = (finished(reader, QUESTION, TEXT, no_answer_bias=bias) for bias in (0.0, 3.0))
    odds = [answer.no_answer_score / answer.spans[0].score for answer in (plain, doubting)]
    assert odds[1] / odds[0] == pytest.approx(math.exp(3), rel=1e-6)
    assert [span.text for span in plain.spans] == [span.text for span in doubting.spans]


@given(st.data())
def test_spans_of_words_gather_the_probability_of_their_tokens(data):
    length, width = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 8))
    word_of = np.cumsum([0, *data.draw(st.lists(st.integers(0, 1), min_size=length - 1, max_size=length - 1))])
    spans = np.random.default_rng(data.draw(st.integers(0, 99))).random((length, width))
    spans[np.add.outer(np.arange(length), np.arange(width)) >= length] = 0
    expected = defaultdict(float)
    for first in range(length):
        for last in range(first, min(length, first + width)):
            expected[word_of[first], word_of[last]] += spans[first, last - first]
    found = by_words(spans, word_of)
    assert found.shape == (word_of[-1] + 1, width)
    for first in range(found.shape[0]):
        for more in range(width):
            assert found[first, more] == pytest.approx(expected[first, first + more])


@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 5), st.integers(1, 6))
def test_the_likeliest_spans_are_taken_in_turn_unless_they_overlap(seed, length, width, count):
    spans = np.random.default_rng(seed).random((length, width))
    order = sorted(np.ndindex(*spans.shape), key=lambda at: -spans[at])
    expected = []
    for first, more in order:
        if all(first + more < taken[0] or first > taken[1] for taken in expected):
            expected.append((first, first + more))
    found = likeliest(spans, count)
    assert [candidate[:2] for candidate in found] == expected[:count]
    assert [candidate.probability for candidate in found] == [spans[a, b - a] for a, b in expected[:count]]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["moved", " ", "to", " ", "Os", "lo", "."], [0, 1, 2, 2, 3]),
        (["20", "11", "-", "20", "12"], [0, 0, 1, 2, 2]),
        (["Anna", "'", "s"], [0, 1, 2]),
        (["東", "京", "は"], [0, 1, 2]),
        (["e", "\u0301", "t", "é"], [0, 0, 0, 0]),
    ],
)
def test_words_are_what_stands_together_without_punctuation(pieces, words):
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    tokens = [Token(piece, end - len(piece), end) for piece, end in zip(pieces, ends, strict=True) if piece != " "]
    assert words_of(tokens, "".join(pieces)).tolist() == words


def test_tokens_of_the_same_character_are_of_the_same_word():
    tokens = [Token("🚚", 0, 1), Token("🚚", 0, 1), Token("!", 1, 2)]
    assert words_of(tokens, "🚚!").tolist() == [0, 0, 1]


# What a reader says


def test_a_short_text_is_read_as_the_pair_that_the_tokenizer_makes(reader):
    row = reader.tokenizer(QUESTION, TEXT, return_tensors="pt", return_offsets_mapping=True)
    spans = row.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        output = reader.model(**row)
    end = len(spans) - 1  # of the text: the last token is special
    context = range(end - len(reader.tokenizer(TEXT, add_special_tokens=False).input_ids), end)
    nothing = end if reader.model.config.is_encoder_decoder else 0
    starts, ends = (logits[0].double().numpy() for logits in (output.start_logits, output.end_logits))
    said = finished(reader, QUESTION, TEXT)
    assert [(token.start, token.end) for token in said.tokens] == [tuple(spans[place]) for place in context]
    odds = odds_one_by_one(starts[context], ends[context], starts[nothing] + ends[nothing], 30)
    odds = without_blanks(odds, said.tokens)
    total = 1 + sum(odds.values())
    assert said.no_answer_score == pytest.approx(1 / total)
    expected = [sum(odds[span] for span in odds if span[0] == token) / total for token in range(len(context))]
    assert said.start_scores == pytest.approx(expected, abs=1e-9)
    assert sum(said.end_scores) + said.no_answer_score == pytest.approx(1)


@pytest.mark.parametrize("context", [TEXT, LONG, *AWKWARD])
@pytest.mark.parametrize("max_window_tokens", [None, 48])
def test_spans_are_whole_words_of_the_text_and_do_not_overlap(reader, context, max_window_tokens):
    said = finished(reader, QUESTION, context, max_window_tokens=max_window_tokens, max_answer_tokens=6)
    assert len(said.spans) in range(1, reader.settings.num_spans + 1)
    assert [span.score for span in said.spans] == sorted((span.score for span in said.spans), reverse=True)
    taken = sorted((span.start, span.end) for span in said.spans)
    assert all(before[1] <= after[0] for before, after in zip(taken, taken[1:], strict=False))
    for span in said.spans:
        assert span.text == said.context[span.start : span.end] == span.text.strip() != ""
        assert sum(token.start < span.end and token.end > span.start for token in said.tokens) >= 1
    assert sum(said.start_scores) + said.no_answer_score == pytest.approx(1)
    assert len(said.start_scores) == len(said.end_scores) == len(said.tokens)
    assert all(said.context[token.start : token.end] == token.text for token in said.tokens)


def test_a_long_text_is_read_window_by_window_and_the_last_snapshot_has_the_answer(reader):
    snapshots = list(answer(reader, QUESTION, LONG))
    num_windows = snapshots[0].num_windows
    assert num_windows > 2
    assert [snapshot.windows_read for snapshot in snapshots] == list(range(num_windows + 1))
    assert [snapshot.answer is None for snapshot in snapshots] == [True] * num_windows + [False]
    assert snapshots[-1].answer.num_windows == num_windows


def test_a_text_that_is_not_read_on_makes_no_more_work(reader, monkeypatch):
    calls = []
    read = Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, rows: calls.append(rows) or read(self, rows))
    reading = answer(reader, QUESTION, LONG)
    list(islice(reading, 2))
    reading.close()
    assert len(calls) == 1


def test_windows_together_are_weighed_as_the_oracle_weighs_them(reader):
    """Every span once, from the window that answers for it, by its odds against no answer there."""
    chosen = AnswerSettings(max_window_tokens=80)
    passage = reader.passage(QUESTION, LONG, chosen)
    odds = {}
    for window in passage.windows:
        [scores] = reader.read([passage.row(window)])
        found = odds_one_by_one(scores.starts, scores.ends, scores.no_answer, chosen.max_answer_tokens)
        for (first, last), weight in found.items():
            if window.first <= first + window.start < window.last:
                assert (first + window.start, last + window.start) not in odds
                odds[first + window.start, last + window.start] = weight
    odds = without_blanks(odds, passage.tokens)
    total = 1 + sum(odds.values())
    said = finished(reader, QUESTION, LONG, max_window_tokens=80)
    assert len(passage.windows) > 5
    assert said.no_answer_score == pytest.approx(1 / total)
    expected = [sum(odds[span] for span in odds if span[1] == token) / total for token in range(len(said.tokens))]
    assert said.end_scores == pytest.approx(expected, abs=1e-9)


def scripted(liked: dict[str, tuple[float, float]], no_answer: float) -> Reader:
    """A model that only knows which pieces it likes as a start and as an end, and how much it likes [CLS]."""
    reader = bigbird()
    table = torch.full((len(reader.tokenizer), 2), -4.0)
    for piece, scores in liked.items():
        table[reader.tokenizer.convert_tokens_to_ids(piece)] = torch.tensor(scores)
    table[reader.tokenizer.cls_token_id] = no_answer / 2

    class Scripted(type(reader.model)):
        def forward(self, input_ids, **inputs):
            starts, ends = table[input_ids].unbind(-1)
            return SimpleNamespace(start_logits=starts, end_logits=ends)

    return replace(reader, model=Scripted(reader.model.config))


@pytest.mark.parametrize("filling", [0, 12])
def test_the_answer_is_found_wherever_it_stands(filling):
    context = FILLING * filling + TEXT + " " + FILLING * filling
    knowing = scripted({"oslo": (9.0, 9.0)}, no_answer=0.0)
    said = finished(knowing, QUESTION, context)
    assert said.best == said.spans[0]
    assert (said.best.text, said.best.start) == ("Oslo", context.index("Oslo"))
    assert said.best.score > 0.9


def test_no_part_of_a_word_and_none_of_the_question_is_an_answer():
    knowing = scripted({"anna": (9.0, 9.0), "##4": (5.0, 5.0)}, no_answer=0.0)
    said = finished(knowing, "Anna?", "In 1945 Rain fell.")
    assert said.best.text == "1945"


def test_a_text_that_says_nothing_has_no_answer_unless_the_threshold_asks_for_one():
    doubtful = scripted({"oslo": (3.0, 3.0)}, no_answer=7.0)
    said = finished(doubtful, QUESTION, TEXT)
    assert said.best is None
    assert said.spans[0].text == "Oslo"
    assert said.no_answer_score > said.spans[0].score
    share = said.no_answer_score / (said.no_answer_score + said.spans[0].score)
    assert finished(doubtful, QUESTION, TEXT, no_answer_threshold=share - 0.01).best is None
    assert finished(doubtful, QUESTION, TEXT, no_answer_threshold=share + 0.01).best == said.spans[0]
    assert finished(scripted({}, no_answer=500.0), QUESTION, TEXT, no_answer_threshold=1.0).best is not None


def test_an_answer_is_no_longer_than_asked_for():
    knowing = scripted({"anna": (9.0, -4.0), "oslo": (-4.0, 9.0)}, no_answer=-20.0)
    assert finished(knowing, QUESTION, TEXT).best.text == "Anna Lind moved to Oslo"
    assert finished(knowing, QUESTION, TEXT, max_answer_tokens=5).best.text != "Anna Lind moved to Oslo"


# What cannot be worked on


@pytest.mark.parametrize("question", ["", " \n", "???"])
def test_a_question_without_words_is_told_apart_from_a_text_without(reader, question):
    with pytest.raises(InputError, match="no question yet"):
        next(answer(reader, question, TEXT))
    with pytest.raises(InputError, match="Type or paste"):
        next(answer(reader, QUESTION, question))


def test_a_question_that_leaves_no_room_for_the_text_is_refused(reader):
    with pytest.raises(InputError, match="too long"):
        next(answer(reader, "why " * 200, TEXT))


# The checkpoint's own settings


def with_parameters(**parameters) -> Reader:
    return bigbird(task_specific_params={"answer": parameters})


def test_a_checkpoint_says_how_it_wants_to_be_asked():
    reader = with_parameters(no_answer_threshold=1.0, num_spans=2, max_window_tokens=64)
    assert reader.settings == AnswerSettings(num_spans=2, no_answer_threshold=1.0, max_window_tokens=64)
    assert reader.count("answer", LONG).limit == 64
    *_, reading = answer(reader, QUESTION, LONG)
    assert reading.num_windows > 5
    assert len(reading.answer.spans) == 2
    assert reading.answer.best is not None


def test_a_setting_that_means_nothing_or_is_out_of_range_is_named():
    with pytest.raises(CheckpointError, match="doc_stride"):
        _ = with_parameters(doc_stride=128).settings
    with pytest.raises(ValueError, match="no_answer_threshold"):
        AnswerSettings(no_answer_threshold=2)
    with pytest.raises(ValueError, match="max_answer_tokens"):
        AnswerSettings(max_answer_tokens=0)
    with pytest.raises(ValueError, match="temperature"):
        AnswerSettings(temperature=0)


def test_the_tokens_of_a_text_are_counted_without_the_question(reader):
    assert reader.count("answer", TEXT).num_tokens == len(finished(reader, QUESTION, TEXT).tokens)
    assert reader.count("answer", TEXT).limit == 256


# Many at once


def test_answers_in_batches_are_those_of_each_alone(reader):
    rows = [(QUESTION, context) for context in (TEXT, "Oslo.", LONG, "", FILLING, "She moved to Oslo.", LONG[40:])]
    rows += [("Who?", TEXT), ("", TEXT), ("What rose all night, and who opened a bakery?", FILLING)]
    together = answer_many(reader, rows)
    for (question, context), said in zip(rows, together, strict=True):
        if not question or not context:
            assert isinstance(said, InputError)
            continue
        alone = finished(reader, question, context)
        assert [(span.start, span.end) for span in said.spans] == [(span.start, span.end) for span in alone.spans]
        assert [span.score for span in said.spans] == pytest.approx([span.score for span in alone.spans], rel=1e-3)
        assert said.start_scores == pytest.approx(alone.start_scores, abs=1e-5)
        assert said.no_answer_score == pytest.approx(alone.no_answer_score, abs=1e-5)
        assert (said.tokens, said.num_windows) == (alone.tokens, alone.num_windows)


def test_rows_of_like_length_share_a_pass(reader, monkeypatch):
    sizes = []
    read = Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, rows: sizes.append(len(rows)) or read(self, rows))
    answer_many(reader, [("Who?", "Oslo."), ("Where?", "In Oslo."), (QUESTION, LONG)])
    assert sizes[0] == 2
    assert len(sizes) == 2
