"""Writes `stored/`: small checkpoints of the reference library's version 4, and what it computes with them.

For what its version 5 has dropped: head masks, relative positions, tied stacks, masks with a row a query.

    pip install transformers==4.57.6
    python tests/parity/make_stored_values.py

A folder holds a checkpoint and values.safetensors: `part/run/in/argument` is what a part was called with
(`model` is all of it), and `part/run/out/field` is what it returned; a tuple of tensors is one tensor, a layer a
row. `steps` are the logits with a cache, one token at a time.
"""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from transformers import BertConfig, BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel

VERSION = "4.57.6"
STORED = Path(__file__).parent / "stored"
FAMILIES = {"bert-generation": BertGenerationConfig, "bert": BertConfig}
HIDDEN_SIZE, VOCAB_SIZE, LENGTH = 8, 7, 5

SOURCE = torch.tensor([[3, 4, 5, 6, 3], [6, 5, 4, 0, 0]])
TARGET = torch.tensor([[2, 5, 3, 4], [2, 6, 6, 3]])
ONE_ROW = torch.tensor([0.5, 0.0])
A_ROW_A_LAYER = torch.tensor([[1.0, 0.0], [0.25, 1.0]])
A_ROW_A_QUERY = torch.tensor(
    [
        [[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]],
        [[1, 1, 1, 1], [0, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1]],
    ]
)

PAIR = {"input_ids": SOURCE, "attention_mask": (SOURCE != 0).long(), "decoder_input_ids": TARGET}
STATES = {"encoder_hidden_states": torch.linspace(-2, 2, 2 * 3 * HIDDEN_SIZE).sin().view(2, 3, HIDDEN_SIZE)}
RUNS = {
    "model/labels": {"input_ids": SOURCE, "labels": TARGET.where(TARGET != 6, -100)},
    "model/one row of head mask": {**PAIR, "head_mask": ONE_ROW, "decoder_head_mask": ONE_ROW.flip(0)},
    "model/head mask": {**PAIR, "head_mask": A_ROW_A_LAYER, "decoder_head_mask": A_ROW_A_LAYER.flip(0)},
    "encoder/mask a query": {"input_ids": TARGET, "attention_mask": A_ROW_A_QUERY},
    "decoder/head mask": {"input_ids": TARGET, "head_mask": A_ROW_A_LAYER, **STATES},
    "decoder/mask a query": {"input_ids": TARGET, "attention_mask": A_ROW_A_QUERY, **STATES},
}
KINDS = {
    "absolute": tuple(RUNS),
    "relative_key": ("model/labels", "model/head mask"),
    "relative_key_query": ("model/labels", "model/head mask"),
    "tied": ("model/labels",),
}


def make_model(family: str, kind: str) -> EncoderDecoderModel:
    torch.manual_seed(0)
    shape = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": HIDDEN_SIZE,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 6,
        "max_position_embeddings": LENGTH,
        "position_embedding_type": kind if kind.startswith("relative") else "absolute",
        "attn_implementation": "eager",
    }
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        *(FAMILIES[family](**shape) for _ in range(2)),
        tie_encoder_decoder=kind == "tied",
        decoder_start_token_id=2,
        pad_token_id=0,
        attn_implementation="eager",
    )
    model = EncoderDecoderModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=0.4).add_("LayerNorm.weight" in name)
    return model.eval()


def run(model: EncoderDecoderModel, name: str) -> dict[str, Tensor]:
    part = name.partition("/")[0]
    module = model if part == "model" else getattr(model, part)
    # With a cache, version 4 would give all queries of a call the relative positions of the last one.
    use_cache = {} if part == "encoder" else {"use_cache": False}
    output = module(**RUNS[name], **use_cache, output_attentions=True, output_hidden_states=True)
    return {
        field: torch.stack(value) if isinstance(value, tuple) else value
        for field, value in output.items()
        if field != "encoder_last_hidden_state"
    }


def run_steps(model: EncoderDecoderModel) -> Tensor:
    logits, past = [], None
    for position in range(TARGET.shape[1]):
        token = TARGET[:, position : position + 1]
        output = model(input_ids=SOURCE, decoder_input_ids=token, past_key_values=past, use_cache=True)
        logits.append(output.logits)
        past = output.past_key_values
    return torch.cat(logits, dim=1)


@torch.no_grad()
def main() -> None:
    if transformers.__version__ != VERSION:
        raise SystemExit(f"This needs transformers {VERSION}, and {transformers.__version__} is installed.")
    for family in FAMILIES:
        for kind, names in KINDS.items():
            model = make_model(family, kind)
            values = {"steps/in/input_ids": SOURCE, "steps/in/decoder_input_ids": TARGET}
            values["steps/out/logits"] = run_steps(model)
            for name in names:
                values |= {f"{name}/in/{argument}": value for argument, value in RUNS[name].items()}
                values |= {f"{name}/out/{field}": value for field, value in run(model, name).items()}
            folder = STORED / f"{family}-{kind}"
            model.save_pretrained(folder, safe_serialization=kind != "tied")
            save_file({name: value.clone() for name, value in values.items()}, folder / "values.safetensors")


if __name__ == "__main__":
    main()
