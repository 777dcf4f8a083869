"""`model.generate(...)`: a model joined to the search in `generation`, with a cache.

The search asks for the next token's logits and knows nothing else; here those come from a decoder that remembers what
it has seen, and from a source that is encoded once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.checkpoints.hub import find_file, read_json
from seq2seq.config import PretrainedConfig, take_hub_options
from seq2seq.generation.cache import KeyValueCache
from seq2seq.generation.generate import NextToken, generate, generate_steps
from seq2seq.generation.sampling import LogitsProcessor
from seq2seq.generation.settings import GenerationConfig
from seq2seq.generation.steps import GenerateOutput, Step
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.models.stack import Stack

GENERATION_CONFIG_FILE = "generation_config.json"


@dataclass
class CachedDecoding:
    """A decoder as the search sees it (`generation.generate.NextToken`), over B sources and their beams."""

    stack: Stack
    logits: Callable[[Tensor], Tensor]  # B T D -> B T V
    source: Tensor | None = None  # B S D
    source_mask: Tensor | None = None  # B S
    prompt_mask: Tensor | None = None  # B T of a padded prompt
    head_mask: Tensor | None = None  # H, or L H
    cross_attn_head_mask: Tensor | None = None  # H, or L H
    cache: KeyValueCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = KeyValueCache(len(self.stack.layers))

    @torch.no_grad()
    def __call__(self, tokens: Tensor) -> Tensor:
        """New tokens (N t) after all that came before -> logits (N V) of the token that follows."""
        return self.logits(self.read(tokens)[:, -1])

    def read(self, tokens: Tensor) -> Tensor:
        """New tokens (N t) after all that came before -> their hidden states (N t D)."""
        attention_mask, position_ids = self.mask_and_positions(tokens)
        return self.stack.hidden_states(
            self.stack.embeddings.words(tokens),
            attention_mask=attention_mask,
            position_ids=position_ids,
            encoder_hidden_states=self.source,
            encoder_attention_mask=self.source_mask,
            head_mask=self.head_mask,
            cross_attn_head_mask=self.cross_attn_head_mask,
            cache=self.cache,
        )

    def mask_and_positions(self, tokens: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Nothing without a prompt mask; with one, padding stays unseen and positions count real tokens only."""
        if self.prompt_mask is None:
            return None, None
        missing = self.cache.length + tokens.shape[1] - self.prompt_mask.shape[1]
        self.prompt_mask = torch.nn.functional.pad(self.prompt_mask, (0, missing), value=1)
        positions = (self.prompt_mask.cumsum(dim=1) - 1).clamp(min=0)
        return self.prompt_mask, positions[:, -tokens.shape[1] :]

    def reorder(self, rows: Tensor) -> None:
        self.cache.reorder(rows)
        if self.prompt_mask is not None:
            self.prompt_mask = self.prompt_mask[rows]


@dataclass
class PlainDecoding(CachedDecoding):
    """The same without a memory (`use_cache=False`): everything is read again for each token. The cache's oracle."""

    tokens: Tensor | None = None  # N t, all so far

    def __call__(self, tokens: Tensor) -> Tensor:
        self.tokens = tokens if self.tokens is None else torch.cat([self.tokens, tokens], dim=1)
        self.cache = KeyValueCache(len(self.cache))
        return super().__call__(self.tokens)

    def reorder(self, rows: Tensor) -> None:
        self.tokens = self.tokens[rows]
        super().reorder(rows)


class Generates(PreTrainedModel):
    """`generate` and `generate_steps` for a model that can say where a search starts."""

    generation_config: GenerationConfig | None = None  # of the checkpoint; None: from the model's configuration

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> Generates:
        """As every model's; where the checkpoint has settings for generating, they become the model's own."""
        model = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        hub_options = take_hub_options(kwargs)
        path = find_file(pretrained_model_name_or_path, GENERATION_CONFIG_FILE, **hub_options)
        if path is not None:
            model.generation_config = GenerationConfig.from_dict(read_json(path) | kwargs)
        return model

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """As every model's, with its own settings for generating if it has any."""
        super().save_pretrained(save_directory, **kwargs)
        if self.generation_config is not None:
            text = json.dumps(self.generation_config.to_dict(), indent=2, sort_keys=True) + "\n"
            Path(save_directory, GENERATION_CONFIG_FILE).write_text(text, encoding="utf-8")

    def start(self, input_ids: Tensor, attention_mask: Tensor | None, config: GenerationConfig, inputs: dict):
        """The search's first tokens (B t), and the model as the search sees it."""
        raise AttributeError(f"{type(self).__name__} does not say how its generation starts")

    def generate_steps(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        generator: torch.Generator | None = None,
        num_alternatives: int | None = 0,
        logits_processor: Sequence[LogitsProcessor] = (),
        with_weighed: bool = False,
        joined: Callable[[CachedDecoding], NextToken] | None = None,
        **options: Any,
    ) -> Iterator[Step]:
        """One Step a token, as it is decided; stop iterating to stop generating.

        Arguments as in `generate`, and as in `generation.generate_steps`; `joined` may have the decoder asked in a
        way of the caller's. What is read before the first token is read at once.
        """
        config, inputs = self.settle(generation_config, options)
        start_ids, next_token = self.start(input_ids, attention_mask, config, inputs)
        return generate_steps(
            joined(next_token) if joined else next_token, start_ids, config,
            generator=generator, num_alternatives=num_alternatives, logits_processor=logits_processor,
            with_weighed=with_weighed,
        )  # fmt: skip

    def generate(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        generator: torch.Generator | None = None,
        logits_processor: Sequence[LogitsProcessor] = (),
        **options: Any,
    ) -> Tensor | GenerateOutput:
        """Token ids (B * num_return_sequences, T), beginning with the start token, padded after the end.

        Args:
            input_ids: (B S) and attention_mask (B S): the source, or for a lone decoder the prompt (padded left).
            generation_config: instead of the model's own; single settings override it by name (num_beams=5 ...).
            generator: the source of chance where do_sample is on.
            logits_processor: rules of the caller's, which change the scores (N V) behind the tokens so far (N t).
            options: settings by name, and inputs of the forward pass (inputs_embeds, encoder_outputs, head_mask,
                decoder_head_mask, cross_attn_head_mask ...).
        Returns: the ids, or with `return_dict_in_generate` a GenerateOutput.
        """
        config, inputs = self.settle(generation_config, options)
        start_ids, next_token = self.start(input_ids, attention_mask, config, inputs)
        output = generate(next_token, start_ids, config, generator=generator, logits_processor=logits_processor)
        return output if config.return_dict_in_generate else output.sequences.to(self.device)

    def settle(
        self, given: GenerationConfig | None, options: dict[str, Any]
    ) -> tuple[GenerationConfig, dict[str, Any]]:
        """The settings of this run, and the options that are not settings but inputs of the model.

        What given settings leave open, as token ids mostly are, is taken from the model's own.
        """
        base = self.generation_config or generation_defaults(self.config)
        if given is not None:
            base = given.merged(
                **{name: value for name, value in base.to_dict().items() if getattr(given, name) is None}
            )
        names = base.to_dict().keys()
        settings = {name: value for name, value in options.items() if name in names}
        inputs = {name: value for name, value in options.items() if name not in names}
        return base.merged(**settings), inputs


class GeneratesFromPrompt(Generates):
    """A lone decoder goes on from a prompt, whose padding is on the left."""

    def start(self, input_ids, attention_mask, config, inputs):
        source = inputs.pop("encoder_hidden_states", None)
        source_mask = inputs.pop("encoder_attention_mask", None)
        refuse_unknown(inputs)
        if input_ids is None:
            input_ids = torch.full((1, 1), first_token(config), device=self.device)
        prompt_mask = mask_of(input_ids, config) if attention_mask is None else attention_mask
        return input_ids, decoding(config)(self.stack, self.logits, source, source_mask, prompt_mask)


def decoding(config: GenerationConfig) -> type[CachedDecoding]:
    return CachedDecoding if config.use_cache else PlainDecoding


def generation_defaults(config: PretrainedConfig) -> GenerationConfig:
    """Settings as older checkpoints hold them: in config.json, the pair's own before its decoder's."""
    decoder = getattr(config, "decoder", None)
    values = vars(decoder) if decoder is not None else {}
    values = values | {name: value for name, value in vars(config).items() if value is not None}
    return GenerationConfig.from_dict(values)


def mask_of(input_ids: Tensor, config: GenerationConfig) -> Tensor | None:
    """B T: 0 for padding, where nobody said so; None where nothing is padded, or padding may be the end of a text."""
    pad = config.pad_token_id
    if pad is None or pad in config.eos_ids or not bool((input_ids == pad).any()):
        return None
    return (input_ids != pad).long()


def first_token(config: GenerationConfig) -> int:
    """decoder_start_token_id, or else bos_token_id."""
    token = config.bos_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
    if token is None:
        raise ValueError(
            "Generation needs a token to start from: set decoder_start_token_id (or bos_token_id) in the model's "
            "configuration, or pass it to generate."
        )
    return token


def refuse_unknown(inputs: dict[str, Any]) -> None:
    if inputs:
        raise ValueError(
            f"generate does not know {', '.join(sorted(inputs))}. Check the spelling; the settings are "
            f"{', '.join(GenerationConfig().to_dict())}."
        )
