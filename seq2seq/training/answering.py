"""Training a model that answers: questions as token ids, and what a run starts from."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seq2seq.models import BertModel, BigBirdForQuestionAnswering
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.tokenizers import BertTokenizer
from seq2seq.training.batches import Inputs, attention_mask, loss_of, padded
from seq2seq.training.data import read_rows
from seq2seq.training.pruning import carried_over, piece_counts, pruned
from seq2seq.training.questions import Question, articles, is_sound, make_question, split_by_title
from seq2seq.training.recipes import AnsweringRecipe
from seq2seq.training.warm_start import is_bert, warm_start_answering

VOCABULARY_FILE = "vocab.txt"
ENCODED_AT_ONCE = 1000  # questions; a matter of memory only
NO_ANSWER = (0, 0)  # the position of [CLS]


@dataclass(frozen=True)
class QuestionExample:
    task: str
    input_ids: list[int]  # [CLS] question [SEP] context [SEP]
    context_start: int  # position of the context's first token
    answer: tuple[int, int]  # positions of its first and its last token

    @property
    def cost(self) -> int:
        return len(self.input_ids)

    @property
    def num_targets(self) -> int:
        return 1

    @classmethod
    def loss(cls, model: PreTrainedModel, examples: Sequence[QuestionExample]) -> Tensor:
        return loss_of(model, cls.collate(examples, model.config.pad_token_id))

    @classmethod
    def collate(cls, examples: Sequence[QuestionExample], pad: int) -> Inputs:
        rows = [example.input_ids for example in examples]
        input_ids = padded(rows, pad)
        context_starts = torch.tensor([example.context_start for example in examples])
        starts, ends = torch.tensor([example.answer for example in examples]).unbind(dim=1)
        return {
            "input_ids": input_ids,
            "attention_mask": attention_mask(rows),
            "token_type_ids": (torch.arange(input_ids.shape[1]) >= context_starts[:, None]).long(),
            "start_positions": starts,
            "end_positions": ends,
        }


def prepare(
    recipe: AnsweringRecipe, data: Path, start: Path, folder: Path
) -> tuple[BigBirdForQuestionAnswering, list[QuestionExample], list[QuestionExample]]:
    """The model to start from, and the training and dev examples. The latter are of articles kept from training."""
    tokenizer = vocabulary(recipe, data, start, folder / VOCABULARY_FILE)
    model = initial_model(recipe, tokenizer, start)
    training, held_out = questions(recipe, data)
    return model, list(encoded(training, tokenizer)), list(encoded(held_out, tokenizer))


def vocabulary(recipe: AnsweringRecipe, data: Path, start: Path, path: Path) -> BertTokenizer:
    """The start's pieces; where that is BERT, pruned to the recipe's number. Kept at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not is_bert(start):
        shutil.copyfile(start / VOCABULARY_FILE, path)
    elif not path.exists():
        whole = BertTokenizer.from_pretrained(start)
        kept = pruned(whole, piece_counts(whole, vocabulary_texts(recipe, data)), recipe.vocab_size)
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return BertTokenizer(vocab_file=path, model_max_length=recipe.max_position_embeddings)


def vocabulary_texts(recipe: AnsweringRecipe, data: Path) -> Iterator[str]:
    """Each question, each paragraph once, and plain texts."""
    for file in recipe.files:
        rows = list(read_rows(data / f"{file}.train.jsonl.gz"))
        yield from (row["question"] for row in rows)
        yield from dict.fromkeys(row["context"] for row in rows)
    for file in recipe.plain_texts:
        yield from (row["text"] for row in read_rows(data / f"{file}.train.jsonl.gz"))


def initial_model(recipe: AnsweringRecipe, tokenizer: BertTokenizer, start: Path) -> BigBirdForQuestionAnswering:
    """The start itself, or a warm start where that is BERT."""
    return from_bert(recipe, tokenizer, start) if is_bert(start) else BigBirdForQuestionAnswering.from_pretrained(start)


def from_bert(recipe: AnsweringRecipe, tokenizer: BertTokenizer, bert: Path) -> BigBirdForQuestionAnswering:
    """Without dropout: no question is seen twice."""
    source = BertModel.from_pretrained(bert)
    embeddings = carried_over(tokenizer, BertTokenizer.from_pretrained(bert), source.embeddings.word.weight.detach())
    return warm_start_answering(
        source,
        embeddings,
        dropout=0.0,
        max_position_embeddings=recipe.max_position_embeddings,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        sep_token_id=tokenizer.sep_token_id,
    )


def questions(recipe: AnsweringRecipe, data: Path) -> tuple[list[Question], list[Question]]:
    """For training and for validation, each of other articles, made and shuffled with the recipe's seed."""
    chance = random.Random(recipe.settings.seed)
    training: list[Question] = []
    held_out: list[Question] = []
    for file in recipe.files:
        rows = list(read_rows(data / f"{file}.train.jsonl.gz"))
        parts = split_by_title(rows, recipe.held_out_share, chance)
        for part, into in zip(parts, (training, held_out), strict=True):
            by_title = articles(part)
            into += [make_question(row, by_title[row["title"]], recipe.shares, chance) for row in part if is_sound(row)]
    chance.shuffle(training)
    return training, held_out


def encoded(questions: list[Question], tokenizer: BertTokenizer) -> Iterator[QuestionExample]:
    """Without the questions whose answer lies beyond what the model reads."""
    for first in range(0, len(questions), ENCODED_AT_ONCE):
        some = questions[first : first + ENCODED_AT_ONCE]
        rows = tokenizer(
            [question.text for question in some],
            [question.context for question in some],
            truncation="only_second",
            return_offsets_mapping=True,
        )
        columns = (rows["input_ids"], rows["token_type_ids"], rows["offset_mapping"])
        for question, ids, token_types, offsets in zip(some, *columns, strict=True):
            context_start = token_types.index(1)
            answer = token_span(question.answer, offsets, context_start)
            if answer is not None:
                yield QuestionExample(question.kind, ids, context_start, answer)


def token_span(
    answer: tuple[int, int] | None, offsets: list[tuple[int, int]], context_start: int
) -> tuple[int, int] | None:
    """Positions of the first and last token of `answer` (characters of the context); None where it was cut off."""
    if answer is None:
        return NO_ANSWER
    start, end = answer
    inside = [
        position
        for position in range(context_start, len(offsets) - 1)
        if offsets[position][0] < end and offsets[position][1] > start
    ]
    is_whole = bool(inside) and offsets[inside[-1]][1] >= end
    return (inside[0], inside[-1]) if is_whole else None
