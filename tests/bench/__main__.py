"""python -m tests.bench [--published FOLDER]: side by side with the reference library, printed as tables.

FOLDER keeps the checkpoint of the published shape (3.2 GB of random weights) between runs; without it a temporary one
is made.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from tests.bench.checkpoints import EMBEDDED, published_shape
from tests.bench.generating import Workload, compare

LIBRARIES = ("ours", "reference")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", type=Path, help="folder to keep the checkpoint of the published shape in")
    parser.add_argument("--embedded-only", action="store_true", help="leave the published shape out")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32\n")
    report("embedded", EMBEDDED, [Workload(40, 40, 1), Workload(40, 40, 5), Workload(400, 60, 1), Workload(400, 60, 5)])
    if arguments.embedded_only:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = published_shape(arguments.published or Path(temporary))
        report("published shape", folder, [Workload(64, 24, 1), Workload(64, 24, 5)], repeats=2)


def report(title: str, folder: Path, workloads: list[Workload], repeats: int = 5) -> None:
    print(f"{title}: {folder}")
    print("| loading | seconds | peak memory MB | of the weights |\n|---|---|---|---|")
    for library in LIBRARIES:
        found = loading(library, folder)
        ratio = found["peak_mb"] / found["weights_mb"]
        print(f"| {library} | {found['seconds']:.2f} | {found['peak_mb']:.0f} | {ratio:.2f} x |")
    print("\n| source, new tokens, beams | first token, ms | | tokens a second | | times faster | same tokens |")
    print("| | ours | reference | ours | reference | | |\n|---|---|---|---|---|---|---|")
    for row in compare(str(folder), workloads, repeats):
        load, first, rate = row["workload"], row["first"], row["rate"]
        print(
            f"| {load.source_tokens}, {load.new_tokens}, {load.num_beams} "
            f"| {1000 * first['ours']:.0f} | {1000 * first['reference']:.0f} "
            f"| {rate['ours']:.1f} | {rate['reference']:.1f} | {rate['ours'] / rate['reference']:.2f} "
            f"| {'yes' if row['equal'] else 'NO'} |",
            flush=True,
        )
    print()


def loading(library: str, folder: Path) -> dict:
    command = [sys.executable, "-m", "tests.bench.loading", library, str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
