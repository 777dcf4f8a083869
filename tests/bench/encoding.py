"""Long texts through a block-sparse encoder of BigBird-Pegasus-large's shape: ours and the reference library's.

Both get what the engine does for its models: freed memory is kept for the next tensors.

`compare` runs both in one process on the same random weights. Memory is measured in a process for each length:

    python -m tests.bench.encoding LIBRARY TOKENS
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from seq2seq.engine.memory import keep_freed_memory
from seq2seq.models import BigBirdPegasusConfig
from seq2seq.models.bigbird_pegasus import BigBirdPegasusModel, BigBirdPegasusStack
from tests.bench.loading import peak_memory_mb, read

LONGEST = 16384


def our_encoder(num_layers: int) -> BigBirdPegasusStack:
    """16 layers of width 1,024 as published, if num_layers is 16; a position table for 16,384 tokens."""
    torch.manual_seed(0)
    config = BigBirdPegasusConfig(encoder_layers=num_layers, vocab_size=8192, max_position_embeddings=LONGEST)
    encoder = BigBirdPegasusStack(config.encoder)
    encoder.post_init()
    return encoder.eval()


def reference_encoder(ours: BigBirdPegasusStack) -> nn.Module:
    """The reference library's, over the very same memory."""
    from transformers import BigBirdPegasusConfig as ReferenceConfig
    from transformers.models.bigbird_pegasus.modeling_bigbird_pegasus import BigBirdPegasusEncoder

    config = ReferenceConfig(
        encoder_layers=len(ours.layers), vocab_size=8192, max_position_embeddings=LONGEST, attn_implementation="eager"
    )
    with torch.device("meta"):
        reference = BigBirdPegasusEncoder(config)
    names = BigBirdPegasusModel.names(BigBirdPegasusConfig())
    weights = {
        names.to_foreign(f"encoder.{name}")[0].removeprefix("encoder."): tensor
        for name, tensor in ours.state_dict().items()
    }
    weights["embed_tokens.weight"] = weights.pop("shared.weight")
    reference.load_state_dict(weights, assign=True)
    return reference.eval()


def ids(length: int) -> torch.Tensor:
    return torch.randint(3, 8192, (1, length), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def compare(dtype: torch.dtype, length: int, num_layers: int, repeats: int) -> dict:
    """The best time of each library, taken in turn; of the linear layers alone, which both have to do; and how much the
    outputs differ.
    """
    keep_freed_memory()
    ours = our_encoder(num_layers)
    exact = ours(input_ids=ids(length)).last_hidden_state
    encoders = {"ours": ours.to(dtype)}
    encoders["reference"] = reference_encoder(encoders["ours"])
    best = dict.fromkeys(encoders, float("inf"))
    outputs = {}
    for _ in range(repeats):
        for library, encoder in encoders.items():
            started = time.monotonic()
            outputs[library] = encoder(input_ids=ids(length)).last_hidden_state
            best[library] = min(best[library], time.monotonic() - started)
    return {
        **best,
        "linear": min(linear_seconds(encoders["ours"], length) for _ in range(repeats)),
        "difference": (outputs["ours"] - outputs["reference"]).abs().max().item(),
        "cosine": F.cosine_similarity(outputs["ours"].double(), exact.double(), dim=-1).min().item(),
    }


def linear_seconds(encoder: BigBirdPegasusStack, length: int) -> float:
    """What every linear layer takes for one text by itself, in the faster of torch's two ways (seq2seq/linear.py)."""
    layers = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    dtype = layers[0].weight.dtype
    inputs = {width: torch.randn(1, length, width, dtype=dtype) for width in {each.in_features for each in layers}}
    started = time.monotonic()
    for layer in layers:
        layer(inputs[layer.in_features])
    return time.monotonic() - started


def cost(library: str, length: int) -> dict:
    """Seconds, and memory beyond the weights, of one text in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.encoding", library, str(length)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


@torch.no_grad()
def main() -> None:
    keep_freed_memory()
    library, length = sys.argv[1], int(sys.argv[2])
    encoder = our_encoder(num_layers=16)
    read(encoder)
    if library == "reference":
        encoder = reference_encoder(encoder)
    encoder(input_ids=ids(1024))
    before = forget_peak_memory()
    started = time.monotonic()
    encoder(input_ids=ids(length))
    seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "extra_mb": peak_memory_mb() - before}))


def forget_peak_memory() -> float:
    """Starts the peak anew from what is held now (Linux); returns that, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory_mb()


if __name__ == "__main__":
    main()
