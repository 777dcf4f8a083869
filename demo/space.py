"""Pack what a Hugging Face Space needs, and nothing else, into a new folder: python -m demo.space FOLDER.

For a GPU that is borrowed call by call, `--zero-gpu` says so and keeps to the torch releases that are offered there.
`--published ID ...` offers published checkpoints, whose weights the Hub then puts beside the Space before it starts.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import SpaceCard

from seq2seq.engine.published import OFFERED, PUBLISHED

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app.py", "README.md", "LICENSE", "requirements.txt", "demo", "components", "seq2seq", "assets")
LEFT_OUT = ("__pycache__", "training", "ray_serve.py")  # it does not train, and is no cluster
ZERO_GPU = {  # file: what stands in it, what stands there for ZeroGPU
    "README.md": ("suggested_hardware: cpu-basic", "suggested_hardware: zero-a10g"),
    "requirements.txt": ("torch>=2.8,<=2.13.0", "torch>=2.8,<2.12"),
}


def pack(folder: Path, zero_gpu: bool = False, published: Sequence[str] = ()) -> None:
    """Raises: FileExistsError if the folder is there already."""
    folder.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns(*LEFT_OUT))
        else:
            shutil.copy(ROOT / part, folder)
    for name, (usual, instead) in ZERO_GPU.items() if zero_gpu else ():
        text = (folder / name).read_text(encoding="utf-8")
        assert usual in text, f"{name} no longer has {usual!r}"
        (folder / name).write_text(text.replace(usual, instead), encoding="utf-8")
    if published:
        card = SpaceCard.load(folder / "README.md")
        card.data.preload_from_hub = [preloaded(name) for name in published]
        card.save(folder / "README.md")
        (folder / ".env").write_text(f"GLOSS_PUBLISHED={json.dumps(published)}\n", encoding="utf-8")


def preloaded(name: str) -> str:
    """What the Hub puts into its cache for a Space: config.json and the weights, as they will be asked for."""
    for revision in PUBLISHED[name].revisions:
        return f"{name} config.json,model.safetensors {revision}"
    return f"{name} config.json,pytorch_model.bin"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.space", description="Pack what a Hugging Face Space needs.")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--zero-gpu", action="store_true", help="for a Space on ZeroGPU")
    parser.add_argument("--published", nargs="+", default=[], metavar="ID", choices=OFFERED, help="offer these as well")
    chosen = parser.parse_args(arguments)
    pack(chosen.folder, chosen.zero_gpu, chosen.published)
    size = sum(path.stat().st_size for path in chosen.folder.rglob("*"))
    print(f"{chosen.folder}: {size / 1e6:.0f} MB. To have it run: hf upload YOU/gloss {chosen.folder} --type space")


if __name__ == "__main__":
    main()
