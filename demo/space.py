"""Pack what a Hugging Face Space needs, and nothing else, into a new folder: python -m demo.space FOLDER.

For a GPU that is borrowed call by call, `--zero-gpu` says so and keeps to the torch releases that are offered there.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app.py", "README.md", "LICENSE", "requirements.txt", "demo", "components", "seq2seq", "assets")
LEFT_OUT = ("__pycache__", "training", "ray_serve.py")  # it does not train, and is no cluster
ZERO_GPU = {  # file: what stands in it, what stands there for ZeroGPU
    "README.md": ("suggested_hardware: cpu-basic", "suggested_hardware: zero-a10g"),
    "requirements.txt": ("torch>=2.8,<=2.13.0", "torch>=2.8,<2.12"),
}


def pack(folder: Path, zero_gpu: bool = False) -> None:
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.space", description="Pack what a Hugging Face Space needs.")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--zero-gpu", action="store_true", help="for a Space on ZeroGPU")
    chosen = parser.parse_args(arguments)
    pack(chosen.folder, chosen.zero_gpu)
    size = sum(path.stat().st_size for path in chosen.folder.rglob("*"))
    print(f"{chosen.folder}: {size / 1e6:.0f} MB. To have it run: hf upload YOU/gloss {chosen.folder} --type space")


if __name__ == "__main__":
    main()
