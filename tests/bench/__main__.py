"""python -m tests.bench [writing encoding looking]: what the models and the page take, printed as tables.

Writing and encoding stand side by side with the reference library.

`--published FOLDER` keeps the checkpoint of the published shape (3.2 GB of random weights) between runs; without it a
temporary one is made.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch

from seq2seq.engine import Engine
from tests.bench import encoding, looking
from tests.bench.checkpoints import EMBEDDED, published_shape
from tests.bench.generating import Workload, compare

LIBRARIES = ("ours", "reference")
PARTS = ("writing", "encoding", "looking")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"{', '.join(PARTS)}; all by default")
    parser.add_argument("--published", type=Path, help="folder to keep the checkpoint of the published shape in")
    parser.add_argument("--embedded-only", action="store_true", help="leave the published shape out")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    if "writing" in arguments.parts:
        report_writing(arguments.published, arguments.embedded_only)
    if "encoding" in arguments.parts:
        report_encoding(num_layers=16)
    if "looking" in arguments.parts:
        report_looking()


def report_writing(published: Path | None, embedded_only: bool) -> None:
    report_loading("embedded", EMBEDDED)
    workloads = [Workload(40, 40, 1), Workload(40, 40, 5), Workload(400, 60, 1), Workload(400, 60, 5)]
    for dtype in (torch.float32, torch.bfloat16):
        report_generating("embedded", EMBEDDED, dtype, workloads, repeats=5)
    if embedded_only:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = published_shape(published or Path(temporary))
        report_loading("published shape", folder)
        for dtype in (torch.float32, torch.bfloat16):
            report_generating("published shape", folder, dtype, [Workload(64, 24, 1), Workload(64, 24, 5)], repeats=2)


def report_encoding(num_layers: int) -> None:
    print(f"block-sparse encoder, {num_layers} layers of width 1024, 4,096 tokens")
    print("| dtype | ours, s | linear layers alone, s | reference, s | times faster | difference | cosine |")
    print("|---|---|---|---|---|---|---|")
    for dtype in (torch.float32, torch.bfloat16):
        found = encoding.compare(dtype, 4096, num_layers, repeats=3)
        ours, reference = found["ours"], found["reference"]
        print(
            f"| {str(dtype).removeprefix('torch.')} | {ours:.2f} | {found['linear']:.2f} | {reference:.2f} "
            f"| {reference / ours:.2f} | {found['difference']:.1e} | {found['cosine']:.5f} |",
            flush=True,
        )
    print("\n| tokens, float32 | library | seconds | memory beyond the weights, MB |\n|---|---|---|---|")
    for library, length in (("reference", 4096), *(("ours", length) for length in (2048, 4096, 8192, 16384))):
        found = encoding.cost(library, length)
        print(f"| {length:,} | {library} | {found['seconds']:.1f} | {found['extra_mb']:.0f} |", flush=True)
    print()


def report_looking() -> None:
    engine = looking.ready_engine()
    print(f"the Attention tab, Gloss summaries, an output of {looking.TARGET_TOKENS} tokens, on the server")
    print("| tokens read | view | map | first, s | again, s | texts, kB | map, kB | table, kB |")
    print("|---|---|---|---|---|---|---|---|")
    for num_tokens in (1000, 4096):
        for name, look in looking.looks(engine, num_tokens):
            sent = " | ".join(f"{size / 1000:.0f}" for size in look.sent.values())
            size = " x ".join(map(str, look.shape))
            print(f"| {num_tokens:,} | {name} | {size} | {look.first:.2f} | {look.again:.2f} | {sent} |", flush=True)
    report_looking_in_chromium(engine)


def report_looking_in_chromium(engine: Engine) -> None:
    found = {tokens: looking.in_chromium(engine, *tokens) for tokens in ((1000, 117), (4096, 256))}
    if None in found.values():
        print("\nno Chromium here, so nothing is measured in one: run `playwright install chromium`")
        return
    print("\nin Chromium: seconds from a click to the map, and milliseconds of work for a word that is pointed at")
    print(
        f"| tokens | {' | '.join(looking.LOOKS)} | other layer | taken over "
        "| script | style | layout | all | beyond two frames | at most |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for (sources, targets), here in found.items():
        seconds = " | ".join(f"{each:.2f}" for each in (*here.looks, median(here.layers), max(here.taken)))
        work = " | ".join(f"{each:.1f}" for each in here.pointing.work.values())
        beyond = here.pointing.above_pace
        print(f"| {targets} x {sources:,} | {seconds} | {work} | {median(beyond):.1f} | {max(beyond):.1f} |")
    print()


def report_loading(title: str, folder: Path) -> None:
    print(f"{title}, float32")
    print("| loading | seconds | peak memory MB | of the weights |\n|---|---|---|---|")
    for library in LIBRARIES:
        found = loading(library, folder)
        ratio = found["peak_mb"] / found["weights_mb"]
        print(f"| {library} | {found['seconds']:.2f} | {found['peak_mb']:.0f} | {ratio:.2f} x |", flush=True)
    print()


def report_generating(title: str, folder: Path, dtype: torch.dtype, workloads: list[Workload], repeats: int) -> None:
    print(f"{title}, {str(dtype).removeprefix('torch.')}")
    print("| source, new tokens, beams | first token, ms | | tokens a second | | times faster | same tokens |")
    print("| | ours | reference | ours | reference | | |\n|---|---|---|---|---|---|---|")
    for row in compare(str(folder), dtype, workloads, repeats):
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
    """The faster of two loads, each in a process of its own: the first may have to wait for the disk."""
    command = [sys.executable, "-m", "tests.bench.loading", library, str(folder)]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(2)]
    return min((json.loads(run.stdout.splitlines()[-1]) for run in runs), key=lambda found: found["seconds"])


if __name__ == "__main__":
    main()
