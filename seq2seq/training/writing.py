"""Training a model that writes: pairs of texts as token ids, and what a run starts from."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seq2seq.checkpoints.hub import find_file
from seq2seq.models import BertModel, BigBirdPegasusForConditionalGeneration, EncoderDecoderModel
from seq2seq.models.source import GeneratesFromSource
from seq2seq.tokenizers import BertGenerationTokenizer
from seq2seq.training.batches import attention_mask, padded
from seq2seq.training.choosing import ChoiceExample, to_choose
from seq2seq.training.data import Pair, Selection, mix, read_pairs
from seq2seq.training.recipes import PegasusRecipe, WritingRecipe
from seq2seq.training.token_loss import token_loss
from seq2seq.training.vocabulary import train_sentencepiece, transfer_embeddings
from seq2seq.training.warm_start import is_bert, warm_start, warm_start_pegasus, with_long_encoder

IGNORED = -100
MAX_TARGET_TOKENS = 512  # what the decoder has positions for
DEV_PAIRS = 150  # a set: enough to tell whether the loss still falls
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
    def loss(cls, model: GeneratesFromSource, examples: Sequence[PairExample]) -> Tensor:
        """What the model itself makes of labels, without the logits of padding and without keeping any."""
        sources = [example.source_ids for example in examples]
        mask = attention_mask(sources).to(model.device)
        labels = padded([example.target_ids for example in examples], IGNORED).to(model.device)
        source = model.encode(padded(sources, model.config.pad_token_id).to(model.device), mask)
        stack, _ = model.decoder_and_logits()
        hidden_states = stack(
            input_ids=model.prepare_decoder_input_ids_from_labels(labels),
            encoder_hidden_states=model.source_of(source),
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state
        is_target = labels != IGNORED
        return token_loss(hidden_states[is_target], model.get_output_embeddings(), labels[is_target])


WritingExample = PairExample | ChoiceExample


def prepare(
    recipe: WritingRecipe, data: Path, start: Path, folder: Path
) -> tuple[GeneratesFromSource, list[WritingExample], list[WritingExample]]:
    """The model to start from, and the training and dev examples."""
    tokenizer = vocabulary(recipe, data, start, folder / VOCABULARY_FILE)
    model = initial_model(recipe, tokenizer, start)
    limit = model.config.encoder.max_position_embeddings
    return model, training_examples(recipe, data, tokenizer, limit), dev_examples(recipe, data, tokenizer, limit)


def vocabulary(recipe: WritingRecipe, data: Path, start: Path, path: Path) -> BertGenerationTokenizer:
    """The start's SentencePiece model; where that is BERT, one trained on the recipe's own texts. Kept at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not is_bert(start):
        shutil.copyfile(start / VOCABULARY_FILE, path)
    elif not path.exists():
        texts = training_texts(recipe, data)
        prompts = filter(None, recipe.prompts.values())
        train_sentencepiece(texts, path, recipe.vocab_size, prompts, recipe.settings.seed)
    return BertGenerationTokenizer(str(path))


def training_texts(recipe: WritingRecipe, data: Path) -> Iterator[str]:
    files = {ingredient.file: ingredient for ingredient in recipe.ingredients}
    for ingredient in files.values():
        for pair in read_pairs(data, ingredient):
            yield from pair.source.split("\n")
            yield pair.target


def model_class(recipe: WritingRecipe) -> type[GeneratesFromSource]:
    return BigBirdPegasusForConditionalGeneration if isinstance(recipe, PegasusRecipe) else EncoderDecoderModel


def initial_model(recipe: WritingRecipe, tokenizer: BertGenerationTokenizer, start: Path) -> GeneratesFromSource:
    """The start itself, or a warm start from it, with an encoder that reads as much as the recipe says."""
    if isinstance(recipe, PegasusRecipe):
        pair = EncoderDecoderModel.from_pretrained(start, dtype=torch.float32)
        return warm_start_pegasus(pair, recipe.max_position_embeddings, recipe.num_layers)
    model = from_bert(recipe, tokenizer, start) if is_bert(start) else EncoderDecoderModel.from_pretrained(start)
    longest = recipe.max_position_embeddings
    is_long_enough = model.config.encoder.max_position_embeddings >= longest
    return model if is_long_enough else with_long_encoder(model, longest)


def from_bert(recipe: WritingRecipe, tokenizer: BertGenerationTokenizer, bert: Path) -> EncoderDecoderModel:
    """Without dropout: no pair is seen more than a few times."""
    vocab = find_file(bert, "vocab.txt")
    old_ids = {piece: index for index, piece in enumerate(vocab.read_text(encoding="utf-8").splitlines())}
    source = BertModel.from_pretrained(bert)
    old = source.embeddings.word.weight.detach().float()
    embeddings = transfer_embeddings(tokenizer.sp_model, old_ids, old, recipe.settings.seed)
    return warm_start(source, embeddings, dropout=0.0)


def training_examples(
    recipe: WritingRecipe, data: Path, tokenizer: BertGenerationTokenizer, limit: int
) -> list[WritingExample]:
    pairs = mix(data, recipe.ingredients, recipe.settings.seed)
    return encoded(pairs, recipe, tokenizer, limit)


def dev_examples(
    recipe: WritingRecipe, data: Path, tokenizer: BertGenerationTokenizer, limit: int
) -> list[WritingExample]:
    """Some of each dev set, each set under a name of its own."""
    chance = random.Random(recipe.settings.seed)
    examples: list[WritingExample] = []
    for ingredient in recipe.dev:
        pairs = read_pairs(data, ingredient, "dev")
        some = chance.sample(pairs, min(DEV_PAIRS, len(pairs)))
        verb = "choose for" if isinstance(some[0], Selection) else ingredient.task
        name = f"{verb} {ingredient.file}"
        examples += [replace(example, task=name) for example in encoded(some, recipe, tokenizer, limit)]
    return examples


def encoded(
    pairs: list[Pair], recipe: WritingRecipe, tokenizer: BertGenerationTokenizer, limit: int
) -> list[WritingExample]:
    """Without those from which there is nothing to learn, as all that is to be chosen was cut off."""
    to_ids, eos = tokenizer.sp_model.encode, tokenizer.eos_token_id

    def example(pair: Pair) -> WritingExample:
        prompt = recipe.prompts[pair.task]
        if isinstance(pair, Selection):
            return to_choose(pair, f"{prompt} ".lstrip(), tokenizer, limit)
        return encode(pair, to_ids, prompt, eos, limit)

    return [made for made in map(example, pairs) if made.num_targets]


def encode(pair: Pair, to_ids: Callable[[str], list[int]], prompt: str, eos: int, limit: int) -> PairExample:
    """The prompt and the source, cut to the limit; the target and its end."""
    source = to_ids(f"{prompt} {pair.source}")[:limit]
    return PairExample(pair.task, source, [*to_ids(pair.target)[: MAX_TARGET_TOKENS - 1], eos])
