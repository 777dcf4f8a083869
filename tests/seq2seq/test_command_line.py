"""python -m seq2seq: arguments, files and standard input in; text, JSON and JSON lines out."""

import io
import json
from shutil import copytree

import pytest

from seq2seq.__main__ import main
from seq2seq.command_line.write import shown_live
from seq2seq.tasks import AnswerSettings, Generated, Section
from seq2seq.tasks.sections import sentences_of
from tests.documents import pdf, word_file

TEXT = "Anna Lind moved to Oslo. She opened a small bakery."


@pytest.fixture(autouse=True)
def folder_of_models(monkeypatch, models):
    monkeypatch.setenv("GLOSS_MODELS", str(models))
    monkeypatch.setenv("GLOSS_DTYPE", "float32")  # equal in a batch and alone


def section(text: str) -> Section:
    return Section("", text, (), 1, 0, 0.0)


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
    assert row.keys() == {
        "text", "output", "num_source_tokens", "num_cut_tokens", "num_sections", "quoted", "seconds"
    }  # fmt: skip


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
    ("line", "said"), [("{", "Line 1 is not JSON"), ('{"body": 1}', 'string under "text"'), ('["a"]', "object")]
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
    binary.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    for arguments, said in ((["fuse", " "], "no text"), (["fuse", "-f", "no.txt"], "no.txt"),
                            (["fuse", "-f", str(binary)], "picture.png: This file is not a text")):  # fmt: skip
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (1, "")
        assert said in err


def test_a_terminal_sees_the_words_come_and_a_new_line_where_a_beam_changes(capsys):
    texts = ["The", "The rain", "The river", "The river rose"]
    shown_live(Generated((section(text),), 1) for text in texts)
    assert capsys.readouterr().out == "The rain\nThe river rose\n"


def test_a_terminal_sees_the_sections_as_paragraphs_and_none_of_them_twice(capsys):
    texts = [["The rain"], ["The river rose"], ["The river rose", "The"], ["The river rose", "A bridge"]]
    shown_live(Generated(tuple(map(section, each)), 2) for each in texts)
    assert capsys.readouterr().out == "The rain\nThe river rose\n\nThe\nA bridge\n"


def test_a_pdf_and_a_word_file_are_read_like_a_text(capsys, tmp_path):
    _, expected, _ = run(capsys, "fuse", TEXT)
    files = {"text.pdf": pdf(TEXT), "text.docx": word_file(lambda document: document.add_paragraph(TEXT))}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert run(capsys, "fuse", "--file", str(tmp_path / name))[1] == expected


def test_a_long_text_is_summarized_in_sections_in_every_form(capsys, tmp_path):
    text = " ".join([TEXT] * 12)
    _, plain, err = run(capsys, "summarize", text)
    assert "read in 8 sections" in err
    row = json.loads(run(capsys, "summarize", text, "--json")[1])
    assert (row["num_sections"], row["num_cut_tokens"]) == (8, 0)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": text}))
    line = json.loads(run(capsys, "summarize", "--jsonl", "--file", str(path))[1])
    assert line["output"] == row["output"] == plain.strip()
    assert "\n\n" in line["output"]


def test_a_summary_can_be_told_in_the_texts_own_sentences(capsys, tmp_path):
    text = " ".join([TEXT] * 3)
    _, plain, _ = run(capsys, "summarize", text, "--wording", "quoted")
    quoted = [sentence.text for sentence in sentences_of(plain)]
    assert quoted
    assert set(quoted) <= {sentence.text for sentence in sentences_of(TEXT)}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": text}))
    rows = run(capsys, "summarize", "--jsonl", "--file", str(path), "--wording", "quoted")[1]
    assert json.loads(rows)["output"] == plain.strip()


@pytest.mark.parametrize("more", [["--file", "x.txt"], ["--jsonl"]])
def test_two_sources_of_a_text_are_refused(capsys, more):
    code, _, err = run(capsys, "fuse", TEXT, *more)
    assert code
    assert "only one of them is read" in err


# Questions


def ask(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(["answer", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_who_asks_decides_how_much_doubt_an_answer_may_carry(capsys, tmp_path):
    question = ["Where", "did", "she", "move?", "--context", TEXT]
    assert ask(capsys, *question, "--no-answer-threshold", "1")[1].strip() in TEXT
    _, nothing, err = ask(capsys, *question, "--no-answer-threshold", "0")
    assert (nothing, "no answer" in err) == ("\n", True)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "Where?", "context": TEXT}))
    row = json.loads(ask(capsys, "--jsonl", "--file", str(path), "--no-answer-threshold", "0")[1])
    assert row["output"] is None
    assert "from 0 to 1" in ask(capsys, *question, "--no-answer-threshold", "2")[2]
    assert "come from --file" in ask(capsys, *question, "--jsonl")[2]


def test_a_context_from_an_argument_a_file_and_standard_input_gives_the_same_answer(capsys, tmp_path, monkeypatch):
    _, from_argument, _ = ask(capsys, "Where", "did", "she", "move?", "--context", TEXT)
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    _, from_file, _ = ask(capsys, "Where did she move?", "--file", str(path))
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    _, from_stdin, _ = ask(capsys, "Where did she move?")
    assert from_argument == from_file == from_stdin
    assert from_argument.strip() in TEXT
    assert from_argument.strip()


def test_an_answer_as_json_has_its_place_and_the_alternatives(capsys):
    context = f" \r\n{TEXT}\x07 "
    code, out, _ = ask(capsys, "Where did she move?", "--context", context, "--json")
    row = json.loads(out)
    assert code == 0
    assert row["context"] == context
    assert row["output"] == row["spans"][0]["output"]
    assert len(row["spans"]) in range(2, AnswerSettings().num_spans + 1)
    assert all(context[span["start"] : span["end"]] == span["output"] for span in row["spans"])
    assert 0 < row["score"] + row["no_answer_score"] <= 1.0001


def test_questions_as_json_lines_keep_order_and_fields_and_place_answers_in_the_context_as_given(capsys, tmp_path):
    path = tmp_path / "rows.jsonl"
    contexts = [f"\n\t{TEXT}", "", "Rain\r\n\r\nfell in Oslo."]
    rows = [{"id": number, "question": "Where?", "context": context} for number, context in enumerate(contexts)]
    path.write_text("\n".join(map(json.dumps, rows)))
    code, out, err = ask(capsys, "--jsonl", "--file", str(path))
    written = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row | given for row, given in zip(written, rows, strict=True)] == written
    for row in (written[0], written[2]):
        assert row.keys() == {"id", "question", "context", "output", "score", "start", "end"}
        assert row["context"][row["start"] : row["end"]].replace("\r\n", "\n") == row["output"]
    assert "no text" in written[1].pop("error")
    assert written[1] == rows[1] | {"output": None, "score": None, "start": None, "end": None}
    assert "question/s" in err


def test_a_line_without_a_question_is_named(capsys, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"context": "Rain fell."}')
    code, _, err = ask(capsys, "--jsonl", "--file", str(path))
    assert code == 1
    assert 'Line 1 must be an object with a string under "question" and "context"' in err


@pytest.fixture
def no_answer(models, tmp_path, monkeypatch):
    """The same checkpoint, never sure enough."""
    copytree(models / "asked", tmp_path / "models" / "asked")
    path = tmp_path / "models" / "asked" / "config.json"
    config = json.loads(path.read_text())
    config["task_specific_params"]["answer"]["no_answer_threshold"] = 0.0
    path.write_text(json.dumps(config))
    monkeypatch.setenv("GLOSS_MODELS", str(tmp_path / "models"))


def test_no_answer_is_an_empty_line_a_word_on_standard_error_and_nulls(capsys, tmp_path, no_answer):
    code, out, err = ask(capsys, "Where?", "--context", TEXT)
    assert (code, out) == (0, "\n")
    assert "no answer in this text" in err
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "Where?", "context": TEXT}))
    row = json.loads(ask(capsys, "--jsonl", "--file", str(path))[1])
    assert row == {"question": "Where?", "context": TEXT, "output": None, "score": None, "start": None, "end": None}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--context", TEXT], "no question"), (["Where?", "-c", TEXT, "-m", "taught"], "taught does not answer")],
)
def test_a_missing_question_and_a_model_that_does_not_answer_fail_in_plain_words(capsys, arguments, said):
    code, out, err = ask(capsys, *arguments)
    assert (code, out) == (1, "")
    assert said in err


@pytest.mark.parametrize("command", ["fuse", "summarize", "answer"])
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--jsonl" in capsys.readouterr().out
