"""The pairing of a pretrained encoder with a pretrained decoder (Rothe, Narayan and Severyn 2020, section 2).

The encoder reads the source once; the decoder looks at it through cross-attention, which a warm start draws anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seq2seq.checkpoints import names
from seq2seq.checkpoints.names import NameTable
from seq2seq.config import EncoderDecoderConfig, read_config, take_hub_options
from seq2seq.generation.cache import KeyValueCache
from seq2seq.linear import Linear
from seq2seq.models.families import family_of
from seq2seq.models.heads import LanguageModel, token_loss
from seq2seq.models.outputs import ModelOutput, Seq2SeqLMOutput, as_asked
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.models.source import GeneratesFromSource
from seq2seq.models.stack import Stack


class EncoderDecoderModel(GeneratesFromSource):
    """Any encoder of `families` with any decoder; made from a configuration, from two models, or from checkpoints."""

    config_class = EncoderDecoderConfig

    def __init__(
        self,
        config: EncoderDecoderConfig | None = None,
        encoder: Stack | None = None,
        decoder: LanguageModel | None = None,
    ):
        if config is None and (encoder is None or decoder is None):
            raise ValueError("Give a configuration, or both an encoder and a decoder.")
        if config is None:
            config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config)
        super().__init__(config)
        self.encoder = encoder if encoder is not None else family_of(config.encoder).encoder(config.encoder)
        self.decoder = decoder if decoder is not None else family_of(config.decoder).decoder(config.decoder)
        if isinstance(self.encoder, LanguageModel):
            raise ValueError("The encoder must be a bare stack, and this one has a language-modelling head.")
        config.encoder, config.decoder = self.encoder.config, self.decoder.config
        widths = config.encoder.hidden_size, config.decoder.hidden_size
        self.enc_to_dec_proj = None
        if widths[0] != widths[1] and config.decoder.cross_attention_hidden_size is None:
            self.enc_to_dec_proj = Linear(*widths)
        self.tie_weights()

    @classmethod
    def names(cls, config: EncoderDecoderConfig) -> NameTable:
        return names.encoder_decoder(
            family_of(config.encoder).encoder.names(config.encoder),
            family_of(config.decoder).decoder.names(config.decoder),
        )

    def ties(self) -> dict[str, str]:
        """The decoder's own, and with `tie_encoder_decoder` every weight that both stacks have (Rothe's "Share")."""
        ties = {f"decoder.{second}": f"decoder.{first}" for second, first in self.decoder.ties().items()}
        if self.config.tie_encoder_decoder:
            shared = self.encoder.state_dict().keys() & self.decoder.stack.state_dict().keys()
            ties = {f"decoder.stack.{name}": f"encoder.{name}" for name in sorted(shared)} | ties
        return ties

    def get_decoder(self) -> LanguageModel:
        return self.decoder

    def get_input_embeddings(self) -> nn.Embedding:
        return self.encoder.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Linear:
        return self.decoder.get_output_embeddings()

    @classmethod
    def from_encoder_decoder_pretrained(
        cls,
        encoder_pretrained_model_name_or_path: str | Path | None = None,
        decoder_pretrained_model_name_or_path: str | Path | None = None,
        **kwargs: Any,
    ) -> EncoderDecoderModel:
        """Warm start: both halves from checkpoints, cross-attention new, in evaluation mode.

        Arguments that begin with `encoder_` or `decoder_` go to that half (`encoder_model=` and `decoder_model=` give
        it ready made), the others to the pair's configuration.
        """
        own = {name: kwargs[name] for name in kwargs if not name.startswith(("encoder_", "decoder_"))}
        encoder = load_half(
            "encoder", encoder_pretrained_model_name_or_path, with_prefix(kwargs, "encoder_"),
            is_decoder=False, add_cross_attention=False,
        )  # fmt: skip
        decoder = load_half(
            "decoder", decoder_pretrained_model_name_or_path, with_prefix(kwargs, "decoder_"),
            is_decoder=True, add_cross_attention=True,
        )  # fmt: skip
        config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config, **own)
        return cls(config=config, encoder=encoder, decoder=decoder).eval()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        past_key_values: KeyValueCache | tuple | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput | tuple:
        """Logits (B T V) of each next target token, and with labels the loss.

        Args:
            input_ids: (B S) the source, or inputs_embeds (B S D), or encoder_outputs of an earlier call.
            attention_mask: (B S) 1 for tokens to see, 0 for padding.
            decoder_input_ids: (B T) the target so far, or decoder_inputs_embeds; by default made from the labels.
            decoder_attention_mask: (B T); by default all tokens, or what is not padding where the labels give them.
            labels: (B T) the target; shifted right inside, -100 ignored.
            kwargs: further arguments of the encoder, and with the prefix `decoder_` of the decoder (head_mask,
                decoder_head_mask, position_ids, token_type_ids ...).
            past_key_values, use_cache, output_attentions, output_hidden_states, return_dict: as elsewhere.
        """
        watched = {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        encoder_outputs = self.encode(
            input_ids, attention_mask, inputs_embeds, encoder_outputs, **without_prefix(kwargs, "decoder_"), **watched
        )
        if labels is not None and decoder_input_ids is None and decoder_inputs_embeds is None:
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
            if decoder_attention_mask is None:
                decoder_attention_mask = decoder_input_ids != self.config.pad_token_id
        decoder_outputs = self.decoder(
            input_ids=decoder_input_ids,
            attention_mask=decoder_attention_mask,
            encoder_hidden_states=self.project(encoder_outputs.last_hidden_state),
            encoder_attention_mask=attention_mask,
            inputs_embeds=decoder_inputs_embeds,
            past_key_values=past_key_values,
            use_cache=use_cache,
            return_dict=True,
            **with_prefix(kwargs, "decoder_"),
            **watched,
        )
        output = Seq2SeqLMOutput(
            loss=None if labels is None else token_loss(decoder_outputs.logits, labels),
            logits=decoder_outputs.logits,
            past_key_values=decoder_outputs.past_key_values,
            decoder_hidden_states=decoder_outputs.hidden_states,
            decoder_attentions=decoder_outputs.attentions,
            cross_attentions=decoder_outputs.cross_attentions,
            encoder_last_hidden_state=encoder_outputs.last_hidden_state,
            encoder_hidden_states=encoder_outputs.hidden_states,
            encoder_attentions=encoder_outputs.attentions,
        )
        return as_asked(output, return_dict, self.config)

    def project(self, hidden_states: Tensor) -> Tensor:
        """The encoder's width to the decoder's, where they differ."""
        return hidden_states if self.enc_to_dec_proj is None else self.enc_to_dec_proj(hidden_states)

    def source_of(self, encoder_outputs: ModelOutput) -> Tensor:
        return self.project(encoder_outputs.last_hidden_state)

    def decoder_and_logits(self) -> tuple[Stack, Callable[[Tensor], Tensor]]:
        return self.decoder.stack, self.decoder.logits

    def decoder_head_masks(self, own: Tensor | None, across: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """One mask is for both, as in all of BERT's family, unless cross-attention is given its own."""
        return own, own if across is None else across


def with_prefix(kwargs: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arguments whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in kwargs.items() if name.startswith(prefix)}


def without_prefix(kwargs: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if not name.startswith(prefix)}


def load_half(half: str, name_or_path: str | Path | None, kwargs: dict[str, Any], **role: bool) -> PreTrainedModel:
    """The encoder or the decoder of a warm start, in its role."""
    ready = kwargs.pop("model", None)
    if ready is not None:
        return ready
    if name_or_path is None:
        raise ValueError(f"Give {half}_pretrained_model_name_or_path, or the model itself as {half}_model.")
    loading = {name: kwargs.pop(name) for name in ("dtype", "torch_dtype") if name in kwargs}
    hub_options = take_hub_options(kwargs)
    config = kwargs.pop("config", None) or read_config(name_or_path, **hub_options, **kwargs)
    for name, value in role.items():
        setattr(config, name, value)
    return getattr(family_of(config), half).from_pretrained(name_or_path, config=config, **hub_options, **loading)
