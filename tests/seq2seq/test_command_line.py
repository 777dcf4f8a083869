"""python -m seq2seq: arguments, files and standard input in; text, JSON and JSON lines out."""

import io
import json

import pytest

from seq2seq.__main__ import main, shown_live
from seq2seq.tasks import Generated

TEXT = "Anna Lind moved to Oslo. She opened a small bakery."


@pytest.fixture(autouse=True)
def folder_of_models(monkeypatch, models):
    monkeypatch.setenv("GLOSS_MODELS", str(models))


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments, "--model", "taught"])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_text_from_arguments_a_file_and_standard_input_gives_the_same(capsys, tmp_path, monkeypatch):
    _, from_arguments, _ = run(capsys, "fuse", *TEXT.split(" "))
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    _, from_file, _ = run(capsys, "fuse", "--file", str(path))
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    _, from_stdin, _ = run(capsys, "fuse")
    assert from_arguments == from_file == from_stdin != ""


def test_json_has_the_text_and_the_counts(capsys):
    code, out, _ = run(capsys, "split", TEXT, "--json", "--max-new-tokens", "5")
    row = json.loads(out)
    assert code == 0
    assert row["text"] == TEXT
    assert row.keys() == {"text", "output", "num_source_tokens", "num_cut_tokens", "seconds"}


def test_json_lines_keep_order_fields_and_go_on_after_a_bad_text(capsys, tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"id": number, "text": text} for number, text in enumerate([TEXT, " ", "Rain fell."])]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    code, out, err = run(capsys, "fuse", "--jsonl", "--file", str(path))
    written = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["id"] for row in written] == [0, 1, 2]
    assert written[1]["output"] is None
    assert "no text" in written[1]["error"]
    assert written[0]["output"] == run(capsys, "fuse", TEXT)[1].strip()
    assert "text/s" in err


@pytest.mark.parametrize(
    ("line", "said"), [("{", "Line 1 is not JSON"), ('{"body": 1}', "string"), ('["a"]', "object")]
)
def test_a_line_that_is_no_row_is_named(capsys, tmp_path, line, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(line)
    code, _, err = run(capsys, "fuse", "--jsonl", "--file", str(path))
    assert code == 1
    assert said in err


def test_a_cut_text_is_told_on_standard_error(capsys):
    _, _, err = run(capsys, "fuse", "bakery " * 300)
    assert "did not fit" in err


def test_an_empty_text_and_a_missing_or_binary_file_fail_in_plain_words(capsys, tmp_path):
    binary = tmp_path / "picture.png"
    binary.write_bytes(b"\x89PNG\xff\xfe")
    for arguments, said in ((["fuse", " "], "no text"), (["fuse", "-f", "no.txt"], "no.txt"),
                            (["fuse", "-f", str(binary)], "not a text file")):  # fmt: skip
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (1, "")
        assert said in err


def test_a_terminal_sees_the_words_come_and_a_new_line_where_a_beam_changes(capsys):
    texts = ["The", "The rain", "The river", "The river rose"]
    shown_live(Generated(text, "", (), 1, 0, 0.0) for text in texts)
    assert capsys.readouterr().out == "The rain\nThe river rose\n"
