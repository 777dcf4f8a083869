"""Training a model that answers: questions of every kind, the pruned vocabulary, token places, warm start, the loop."""

import gzip
import json
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from seq2seq.models import BertConfig, BertModel
from seq2seq.tokenizers import BertTokenizer
from seq2seq.training import answering
from seq2seq.training.answering import NO_ANSWER, QuestionExample, encoded, questions, token_span
from seq2seq.training.loop import TrainingSettings, train, validation_losses
from seq2seq.training.pruning import carried_over, piece_counts, pruned
from seq2seq.training.questions import (
    LONG_WORDS,
    MAKERS,
    Question,
    answer_place,
    articles,
    is_sound,
    make_question,
    split_by_title,
)
from seq2seq.training.recipes import AnsweringRecipe

WORDS = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "town", "river", "was", "built", "flooded",
         "in", "when", "where", "by", "far", "##er", ".", "?", "##1", "##2", "##9", "é", "☃"]  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PIECES = [*WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS if letter not in "129")]


def row(context: str, answer: str, question: str = "When?", title: str = "a") -> dict:
    answers = {"text": [answer], "answer_start": [context.find(answer)]}
    return {"title": title, "context": context, "question": question, "answers": answers}


@pytest.mark.parametrize(
    ("context", "answer", "place"),
    [
        ("Built in 1932.", "1932", (9, 13)),
        ("Open 5 days since 1995.", "5", (5, 6)),
        ("In 1932, and in 1932 again.", "1932", None),
        ("The 1930s were dry.", "1930", (4, 8)),
        ("Not here.", "1932", None),
        ("It cost $12 (then).", "$12 (then)", (8, 18)),
    ],
)
def test_an_answer_counts_where_its_place_is_beyond_doubt(context, answer, place):
    assert answer_place(row(context, answer)) == place
    assert is_sound(row(context, answer)) is (place is not None)


def test_rows_without_a_question_or_an_answer_are_not_sound():
    assert not is_sound(row("Built in 1932.", "1932", question=" "))
    assert not is_sound({**row("Built in 1932.", "1932"), "answers": {"text": [], "answer_start": []}})


PARAGRAPHS = [
    f"Town {n} was founded in {1600 + n}. The river {n} flooded it. It has a bridge. " + "So it goes. " * 20
    for n in range(60)
]
ROW = row(PARAGRAPHS[30], "1630", "When was Town 30 founded?")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_question_has_its_answer_where_it_says_and_nowhere_else(kind):
    for seed in range(20):
        question = make_question(ROW, PARAGRAPHS, {kind: 1.0}, random.Random(seed))
        assert question.kind == kind
        if kind in ("plain", "long"):
            assert question.context[slice(*question.answer)] == "1630"
        else:
            assert question.answer is None
            assert "1630" not in question.context or question.text != ROW["question"]


def test_elsewhere_is_the_paragraph_nearby_with_most_of_the_questions_words():
    paragraphs = ["A river.", "The town was founded in 1632.", "When was the town of Lind founded again?", "Rain."]
    question = row(paragraphs[1], "1632", "When was the town founded?")
    assert make_question(question, paragraphs, {"elsewhere": 1}, random.Random(0)).context == paragraphs[2]


def test_removed_leaves_the_other_sentences():
    question = make_question(row("It is old. Built in 1932. Rain fell.", "1932"), [], {"removed": 1}, random.Random(0))
    assert question.context == "It is old. Rain fell."


def test_long_texts_are_neighbouring_paragraphs_of_as_many_words_as_asked():
    lengths, places = [], set()
    for seed in range(200):
        question = make_question(ROW, PARAGRAPHS, {"long": 1}, random.Random(seed))
        parts = question.context.split("\n")
        order = [PARAGRAPHS.index(part) for part in parts]
        assert all(second == first + 1 for first, second in pairwise(order))
        lengths.append(len(question.context.split()))
        places.add(order.index(30))
    longest = max(len(paragraph.split()) for paragraph in PARAGRAPHS)
    assert LONG_WORDS[0] <= min(lengths) < 1.3 * LONG_WORDS[0]
    assert 0.8 * LONG_WORDS[1] < max(lengths) <= LONG_WORDS[1] + longest
    assert len(places) > 10


def test_where_the_article_allows_no_other_kind_a_question_is_plain():
    alone = row("Built in 1932.", "1932")
    made = [make_question(alone, [alone["context"]], {kind: 1}, random.Random(0)) for kind in ("elsewhere", "removed")]
    assert made == [Question("plain", "When?", "Built in 1932.", (9, 13))] * 2


def test_articles_are_kept_apart():
    rows = [row(f"{title} {n}.", str(n), title=title) for title in "abcdefghij" for n in range(3)]
    training, held_out = split_by_title(rows, 0.2, random.Random(0))
    assert len({row["title"] for row in held_out}) == 2
    assert {row["title"] for row in training}.isdisjoint(row["title"] for row in held_out)
    assert sorted(map(str, training + held_out)) == sorted(map(str, rows))
    assert articles(rows)["b"] == ["b 0.", "b 1.", "b 2."]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(PIECES), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                         intermediate_size=64, max_position_embeddings=32)).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture
def data(tmp_path):
    """Towns and the years in which they were built: the answer is the one number of the paragraph."""
    rows = [
        row(f"the town {letter} was built in {year} by the river .", str(year), f"when was {letter} built ?", letter)
        for letter in "abcdefghij"
        for year in range(10, 40)
    ]
    (tmp_path / "qa").mkdir()
    with gzip.open(tmp_path / "qa" / "towns.train.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


RECIPE = AnsweringRecipe(
    name="towns",
    title="Towns",
    vocab_size=90,
    settings=TrainingSettings(num_steps=60, learning_rate=3e-3, warmup_steps=5, batch_cost=1000, validate_every=20),
    files=("qa/towns",),
    plain_texts=(),
    shares={"plain": 0.8, "elsewhere": 0.2},
    held_out_share=0.2,
    max_position_embeddings=80,
)


def test_pruning_keeps_what_is_special_single_or_frequent_in_its_old_order(bert):
    whole = BertTokenizer.from_pretrained(bert)
    counts = piece_counts(whole, ["The town was flooded.", "the TOWN, farther in", "the the"])
    assert counts["the"] == 4
    assert counts["##er"] == 1
    kept = pruned(whole, {"the": 5, "town": 3, "river": 2}, size=len(PIECES) - 8)
    always = [piece for piece in PIECES if len(piece.removeprefix("##")) == 1 and piece != "☃"]
    assert set(always) <= set(kept)
    assert {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "town", "river"} <= set(kept)
    assert not {"[unused0]", "flooded", "☃"} & set(kept)
    assert kept == [piece for piece in PIECES if piece in kept]
    assert kept[0] == "[PAD]"


def test_a_full_vocabulary_takes_the_most_frequent(bert):
    whole = BertTokenizer.from_pretrained(bert)
    room = len(pruned(whole, {}, size=0)) + 1
    assert "town" in pruned(whole, {"river": 2, "town": 3}, size=room)
    assert "river" not in pruned(whole, {"river": 2, "town": 3}, size=room)
    assert "☃" in pruned(whole, {"☃": 1}, size=room)


def test_vectors_are_carried_over_as_they_are(bert, data, tmp_path):
    tokenizer = answering.vocabulary(RECIPE, data, bert, tmp_path / "vocab.txt")
    old = torch.randn(len(PIECES), 8)
    vectors = carried_over(tokenizer, BertTokenizer.from_pretrained(bert), old)
    assert len(vectors) == len(tokenizer) < len(PIECES)
    assert tokenizer.pad_token_id == 0
    for piece, index in tokenizer.get_vocab().items():
        assert torch.equal(vectors[index], old[PIECES.index(piece)])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, NO_ANSWER),
        ((4, 8), (4, 4)),
        ((4, 11), (4, 5)),
        ((6, 8), (4, 4)),
        ((11, 12), (6, 6)),
        ((11, 20), None),
        ((30, 34), None),
    ],
)
def test_an_answers_characters_become_the_tokens_that_they_touch(answer, expected):
    # [CLS] question [SEP] | the town far . | [SEP]
    offsets = [(0, 0), (0, 5), (0, 0), (0, 3), (4, 8), (9, 11), (11, 12), (0, 0)]
    assert token_span(answer, offsets, context_start=3) == expected


def test_examples_decode_to_their_answers_and_those_cut_off_are_left_out(bert, data, tmp_path):
    tokenizer = answering.vocabulary(RECIPE, data, bert, tmp_path / "vocab.txt")
    far = "the river . " * 40 + "32"
    given = [
        Question("plain", "when ?", "Built in 32.", (9, 11)),
        Question("elsewhere", "when ?", "Flooded.", None),
        Question("plain", "when ?", far, (len(far) - 2, len(far))),
    ]
    answered, unanswered = encoded(given, tokenizer)
    first, last = answered.answer
    assert tokenizer.decode(answered.input_ids[first : last + 1]) == "32"
    assert tokenizer.convert_ids_to_tokens(answered.input_ids[answered.context_start]) == "built"
    assert unanswered.answer == NO_ANSWER


def test_a_batch_tells_question_from_context_and_what_is_padding():
    examples = [
        QuestionExample("plain", [3, 7, 4, 8, 9, 4], 3, (3, 4)),
        QuestionExample("plain", [3, 4, 8, 4], 2, (0, 0)),
    ]
    batch = QuestionExample.collate(examples, pad=0)
    assert batch["input_ids"].tolist() == [[3, 7, 4, 8, 9, 4], [3, 4, 8, 4, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]
    assert batch["start_positions"].tolist() == [3, 0]
    assert batch["end_positions"].tolist() == [4, 0]


def test_a_recipes_questions_come_in_their_shares_and_again_with_the_seed(data):
    training, held_out = questions(RECIPE, data)
    assert len(training) == 8 * 30
    assert len(held_out) == 2 * 30
    assert 0.1 < Counter(question.kind for question in training)["elsewhere"] / len(training) < 0.3
    assert questions(RECIPE, data) == (training, held_out)
    other = replace(RECIPE, settings=replace(RECIPE.settings, seed=1))
    assert questions(other, data) != (training, held_out)


def test_a_warm_start_reads_like_the_bert_it_came_from_and_positions_repeat(bert, data, tmp_path):
    tokenizer = answering.vocabulary(RECIPE, data, bert, tmp_path / "vocab.txt")
    model = answering.initial_model(RECIPE, tokenizer, bert).eval()
    old, new = BertTokenizer.from_pretrained(bert), tokenizer
    pair = ("when was the town built ?", "the town was built in 32 .")
    read = BertModel.from_pretrained(bert)(**old(*pair, return_tensors="pt")).last_hidden_state
    again = model.stack(**new(*pair, return_tensors="pt")).last_hidden_state
    assert torch.allclose(read, again, atol=1e-5)
    shifted = torch.arange(read.shape[1])[None] + 32
    again = model.stack(**new(*pair, return_tensors="pt"), position_ids=shifted).last_hidden_state
    assert torch.allclose(read, again, atol=1e-5)
    config = model.config
    assert (config.max_position_embeddings, config.random_blocks, config.vocab_size) == (80, "original", len(new))
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id, config.sep_token_id) == (
        new.pad_token_id, new.cls_token_id, new.sep_token_id, new.sep_token_id)  # fmt: skip


def test_the_loop_teaches_to_answer(bert, data, tmp_path):
    torch.manual_seed(0)
    model, examples, dev = answering.prepare(RECIPE, data, bert, tmp_path / "run")
    before = validation_losses(model, dev, 1000)
    train(model, examples, dev, RECIPE.settings, tmp_path / "run")
    after = validation_losses(model, dev, 1000)
    assert set(after) == {"plain", "elsewhere"}
    assert after["plain"] < before["plain"] / 2
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [20, 40, 60]
    assert log[0]["minutes_left"] >= log[-1]["minutes_left"] == 0
