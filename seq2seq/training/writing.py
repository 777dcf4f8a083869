"""Training a model that writes: pairs of texts as token ids, and what a run starts from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.checkpoints.hub import find_file
from seq2seq.models import BertModel, EncoderDecoderModel
from seq2seq.tokenizers import BertGenerationTokenizer
from seq2seq.training.batches import Inputs, attention_mask, padded
from seq2seq.training.data import Pair, mix, read_pairs
from seq2seq.training.recipes import WritingRecipe
from seq2seq.training.vocabulary import train_sentencepiece, transfer_embeddings
from seq2seq.training.warm_start import warm_start

IGNORED = -100
DEV_PAIRS = 150  # a task: enough to tell whether the loss still falls
VOCABULARY_FILE = "spiece.model"


@dataclass(frozen=True)
class PairExample:
    task: str
    source_ids: list[int]
    target_ids: list[int]

    @property
    def cost(self) -> int:
        """Tokens that the two stacks read; a decoder's token costs about twice an encoder's."""
        return len(self.source_ids) + 2 * len(self.target_ids)

    @property
    def num_targets(self) -> int:
        return len(self.target_ids)

    @classmethod
    def collate(cls, examples: Sequence[PairExample], pad: int) -> Inputs:
        sources = [example.source_ids for example in examples]
        return {
            "input_ids": padded(sources, pad),
            "attention_mask": attention_mask(sources),
            "labels": padded([example.target_ids for example in examples], IGNORED),
            "use_cache": False,
        }


def prepare(
    recipe: WritingRecipe, data: Path, bert: Path, folder: Path
) -> tuple[EncoderDecoderModel, list[PairExample], list[PairExample]]:
    """The model to start from, and the training and dev examples."""
    tokenizer = vocabulary(recipe, data, folder / VOCABULARY_FILE)
    model = initial_model(recipe, tokenizer, bert)
    limit = model.config.encoder.max_position_embeddings
    return model, training_examples(recipe, data, tokenizer, limit), dev_examples(recipe, data, tokenizer, limit)


def vocabulary(recipe: WritingRecipe, data: Path, path: Path) -> BertGenerationTokenizer:
    """The recipe's SentencePiece model, trained on the texts of its own mix unless it lies there already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = training_texts(recipe, data)
        train_sentencepiece(texts, path, recipe.vocab_size, recipe.prompts.values(), recipe.settings.seed)
    return BertGenerationTokenizer(str(path))


def training_texts(recipe: WritingRecipe, data: Path) -> Iterator[str]:
    files = {ingredient.file: ingredient for ingredient in recipe.ingredients}
    for ingredient in files.values():
        for pair in read_pairs(data, ingredient):
            yield from pair.source.split("\n")
            yield pair.target


def initial_model(recipe: WritingRecipe, tokenizer: BertGenerationTokenizer, bert: Path) -> EncoderDecoderModel:
    """The warm start from a folder with a BERT checkpoint, without dropout: no pair is seen more than twice."""
    vocab = find_file(bert, "vocab.txt")
    old_ids = {piece: index for index, piece in enumerate(vocab.read_text(encoding="utf-8").splitlines())}
    source = BertModel.from_pretrained(bert)
    old = source.embeddings.word.weight.detach().float()
    embeddings = transfer_embeddings(tokenizer.sp_model, old_ids, old, recipe.settings.seed)
    return warm_start(source, embeddings, dropout=0.0)


def training_examples(
    recipe: WritingRecipe, data: Path, tokenizer: BertGenerationTokenizer, limit: int
) -> list[PairExample]:
    pairs = mix(data, recipe.ingredients, recipe.settings.seed)
    return encoded(pairs, recipe, tokenizer, limit)


def dev_examples(
    recipe: WritingRecipe, data: Path, tokenizer: BertGenerationTokenizer, limit: int
) -> list[PairExample]:
    chance = random.Random(recipe.settings.seed)
    pairs: list[Pair] = []
    for ingredient in recipe.dev:
        pairs += chance.sample(read_pairs(data, ingredient, "dev"), DEV_PAIRS)
    return encoded(pairs, recipe, tokenizer, limit)


def encoded(
    pairs: list[Pair], recipe: WritingRecipe, tokenizer: BertGenerationTokenizer, limit: int
) -> list[PairExample]:
    to_ids, eos = tokenizer.sp_model.encode, tokenizer.eos_token_id
    return [encode(pair, to_ids, recipe.prompts[pair.task], eos, limit) for pair in pairs]


def encode(pair: Pair, to_ids: Callable[[str], list[int]], prompt: str, eos: int, limit: int) -> PairExample:
    """The prompt and the source, cut to the limit; the target and its end."""
    source = to_ids(f"{prompt} {pair.source}")[:limit]
    return PairExample(pair.task, source, [*to_ids(pair.target)[: limit - 1], eos])
