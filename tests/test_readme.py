"""The examples of the README as they stand there: command lines in a folder with files of the names that they read, and
programs on a page of this machine.
"""

from __future__ import annotations

import ast
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import plotly.graph_objects as go
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from demo.settings import PageSettings
from seq2seq.__main__ import main
from seq2seq.engine import Engine
from tests.aside import awaited
from tests.documents import pdf, word_file
from tests.serving import serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"  # in its examples

SENTENCE = "The bridge, which had been closed since March, was opened again in May because its cracks had been mended."
ARTICLE = (
    "A storm closed the harbour of Skarvik on Monday. No ship could leave for two days. The port's director said that "
    "the damage was small. Fishermen lost their nets, and the town has promised to pay for new ones."
)
FILES = {
    "sentence.txt": SENTENCE.encode(),
    "article.txt": ARTICLE.encode(),
    "thesis.pdf": pdf(ARTICLE.replace(". ", ".\n")),
    "guide.docx": word_file(lambda document: document.add_paragraph("The ceiling was painted by Ada Holm in 1911.")),
    "pairs.jsonl": b'{"id": 1, "text": "Rain fell. The river rose."}\n{"id": 2, "text": "Ada wrote. She read."}\n',
    "asked.jsonl": b'{"question": "Who wrote?", "context": "Ada Holm wrote the notes in Oslo."}\n',
}


def blocks(language: str, title: str) -> list[str]:
    """The code in this language below a heading."""
    below = README.split(f"\n### {title}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", below, re.M | re.S)


def command_lines() -> list[str]:
    [block] = blocks("sh", "The command line")
    activation, *lines = block.splitlines()
    assert activation.startswith(". .venv/bin/activate")
    return lines


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(line: str) -> tuple[list[str], str | None]:
    """The arguments of `python -m seq2seq`, and the file that is its standard input; its output goes nowhere."""
    command, *_ = line.split(" > ")
    command, _, source = command.partition(" < ")
    words = shlex.split(command, comments=True)
    assert words[:3] == ["python", "-m", "seq2seq"]
    return words[3:], source.split("#")[0].strip() or None


SAYS = [
    "Oslo",
    "bridge",
    "harbour",
    "Fishermen",
    "Ada Holm",
    "river",
    "Ada Holm",
]  # what the lines print, in their order


@pytest.mark.parametrize(("line", "says"), zip(command_lines(), SAYS, strict=True))
def test_a_command_line(line, says, folder, monkeypatch, capsys):
    arguments, source = parsed(line)
    if source:
        monkeypatch.setattr("sys.stdin", io.StringIO((folder / source).read_text()))
    code = main(arguments)
    told, errors = capsys.readouterr()
    assert code == 0, errors
    assert says in told
    if {"--json", "--jsonl"} & set(arguments):
        assert all(json.loads(row) for row in told.splitlines())


def test_what_is_said_beside_the_command_lines(folder, capsys):
    assert main(["summarize", "--file", "thesis.pdf", "--wording", "own"]) == 0
    anew = capsys.readouterr().out.strip()
    assert anew
    assert anew not in ARTICLE
    asked = ["answer", "Who was the first on the moon?", "--file", "article.txt"]
    assert main(asked) == 0
    assert not capsys.readouterr().out.strip()
    assert main([*asked, "--no-answer-threshold", "1"]) == 0
    assert capsys.readouterr().out.strip()
    for option in ("--wording own", "--no-answer-threshold 1"):
        assert option in "\n".join(command_lines())


def test_a_command_line_in_a_shell(folder):
    line = command_lines()[0].replace("python", shlex.quote(sys.executable), 1)
    done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "Oslo" in done.stdout) == (0, True), done.stderr


def values_of(code: str, known: dict) -> list:
    """Run it line by line, as at a prompt; what its expressions are."""
    values = []
    for statement in ast.parse(code).body:
        piece = ast.unparse(statement)
        if isinstance(statement, ast.Expr):
            values.append(eval(piece, known))
        else:
            exec(piece, known)
    return values


def test_from_a_program_and_as_tools(capsys):
    [program], [tools] = blocks("python", "From a program"), blocks("json", "From a program")
    with serving(Engine(), PageSettings(mcp=True)) as (_, address):
        fused, answer, weights, names = values_of(program.replace(ADDRESS, address), {})
        url = json.loads(tools.replace(ADDRESS, address))["mcpServers"]["gloss"]["url"]
        offered = awaited(tool_names(url))
    assert "Oslo" in fused
    assert answer == "Anna Lind"
    assert sum(weights[0][0]) == pytest.approx(1, abs=1e-3)
    assert names[0] == "gloss-fusion"
    so_far = [line for line in capsys.readouterr().out.splitlines() if "ain" in line]
    assert len(so_far) > 1
    assert "river" in so_far[-1]
    assert "fuse" in offered


async def tool_names(url: str) -> list[str]:
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        return [tool.name for tool in (await session.list_tools()).tools]


def test_in_a_notebook(monkeypatch, capsys):
    shown = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(go.Figure, "show", lambda figure: shown.append(figure))
    known: dict = {}
    for code in blocks("python", "In a notebook"):
        values_of(code, known)
    fused, answer = capsys.readouterr().out.splitlines()
    assert "river" in fused
    assert "river" in str(answer).lower()
    [figure] = shown
    assert isinstance(figure, go.Figure)


def test_every_example_is_run():
    """Those above, and no others that nobody runs."""
    how = README.split("\n## How to use it\n", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^```(\w+)$", how, re.M) == ["sh", "python", "json", "python", "python"]
