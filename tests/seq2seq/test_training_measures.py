"""Measures of answers, by hand and through the answer task, and what is packed from a run."""

import gzip
import json
from dataclasses import replace

import pytest

from seq2seq.engine import Engine
from seq2seq.models import BigBirdForQuestionAnswering, BigBirdPegasusForConditionalGeneration, EncoderDecoderModel
from seq2seq.tokenizers import load_tokenizer
from seq2seq.training.calibration import FITTED
from seq2seq.training.evaluate import measure
from seq2seq.training.evaluate_answers import drawn, halves, likeliest_sentence, outcomes
from seq2seq.training.pack import pack_answering, pack_writing
from seq2seq.training.recipes import ANSWERS, FUSION, PEGASUS
from seq2seq.training.squad import Outcome, answer_scores, best_threshold, exact_match, f1, normalized


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Bridge, in  spring.", "bridge in spring"),
        ("a  An the", ""),
        ("U.S.", "us"),
        ("another theme", "another theme"),
        ("$12–$15", "12–15"),
        ("twenty-one", "twentyone"),
    ],
)
def test_normalisation(text, expected):
    assert normalized(text) == expected


@pytest.mark.parametrize(
    ("golds", "answer", "exact", "expected_f1"),
    [
        (("the bridge",), "The bridge!", 1, 1),
        (("October 1973", "1973"), "1973", 1, 1),
        (("October 1973",), "in October", 0, 0.5),
        (("rain rain snow",), "rain rain rain", 0, 2 / 3),
        (("snow",), "rain", 0, 0),
        (("snow",), "", 0, 0),
        ((), "", 1, 1),
        ((), "rain", 0, 0),
        (("the",), "", 1, 1),
        (("the", "snow"), "", 0, 0),
    ],
)
def test_exact_match_and_f1(golds, answer, exact, expected_f1):
    assert exact_match(golds, answer) == exact
    assert f1(golds, answer) == pytest.approx(expected_f1)


SAID = [
    Outcome(("rain",), "rain", 0.1),
    Outcome(("heavy snow",), "snow", 0.3),
    Outcome((), "wind", 0.6),
    Outcome((), "fog", 0.2),
]


def test_a_threshold_makes_answers_of_what_is_little_doubted():
    assert answer_scores(SAID, 1.0) == {
        "exact": 25, "F1": pytest.approx(100 * (1 + 2 / 3) / 4),
        "has answer: exact": 50, "has answer: F1": pytest.approx(100 * (1 + 2 / 3) / 2), "no answer: exact": 0,
    }  # fmt: skip
    declined = answer_scores(SAID, 0.15)
    assert (declined["exact"], declined["has answer: exact"], declined["no answer: exact"]) == (75, 50, 100)
    assert answer_scores(SAID, -1)["F1"] == 50
    assert answer_scores(SAID[:2], 1.0).keys() == {"exact", "F1"}


def test_the_best_threshold_counts_questions_with_an_answer_three_times():
    assert best_threshold(SAID) == 0.59  # three quarters of 83 and a quarter of 50 are more than of 50 and 100
    assert best_threshold(SAID[:3]) == 0.59
    assert best_threshold(SAID[:2]) == 1.0


def test_the_baseline_is_the_sentence_with_most_of_the_questions_words():
    context = "The river rose. The old bridge closed in spring. Nobody crossed."
    assert likeliest_sentence("When was the bridge closed?", context) == "The old bridge closed in spring."


def test_halves_share_no_paragraph():
    rows = [(f"question {n}", f"context {n // 3}", ("x",)) for n in range(30)]
    first, second = halves(rows)
    assert len(first) == len(second) == 15
    assert {row[1] for row in first}.isdisjoint(row[1] for row in second)
    assert sorted(drawn(rows, 99)) == sorted(rows)
    assert drawn(rows, 5) == drawn(rows, 5)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "qa").mkdir()
    contexts = ["The bridge was built in 1932 . It was closed in the spring .", "Anna Lind moved to Oslo ."] * 3
    rows = [
        {
            "title": "a",
            "context": f"{context} {n}",
            "question": question,
            "answers": {"text": texts, "answer_start": []},
        }
        for n, context in enumerate(contexts)
        for question, texts in (("When was it built ?", ["1932"]), ("Where did Anna move ?", ["Oslo"]))
    ]
    unanswered = [row | {"answers": {"text": []}} for row in rows[::2]]
    for name, some in {"squad_v1.1": rows, "squad_v2.0_with_unanswerable": rows + unanswered}.items():
        with gzip.open(tmp_path / "qa" / f"{name}.dev.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in some)
    return tmp_path


def test_outcomes_are_what_the_answer_task_says(models):
    engine, folder = Engine(), str(models / "asked")
    rows = [("when ?", "the bridge was built in 1932", ("1932",)), ("where ?", "in oslo", ())]
    said = {one.golds: one for one in outcomes(engine, folder, rows)}
    for question, context, golds in rows:
        *_, reading = engine.answer(question, context, folder)
        answer, outcome = reading.answer, said[golds]
        assert outcome.text == answer.spans[0].text
        threshold = engine.load("answer", folder).settings.no_answer_threshold
        assert (outcome.answer(threshold) != "") == (answer.best is not None)


def test_a_checkpoint_that_answers_is_measured_beside_a_baseline(models, data):
    report = measure(Engine(), str(models / "asked"), data, limit=50)
    assert report["answer"]["pairs"] == 12
    assert report["answer"]["baseline"]["exact"] == 0
    halved = report["answer or decline, half unanswerable"]
    assert halved["baseline"]["no answer: exact"] == 100
    assert halved["model"].keys() == halved["baseline"].keys()


def test_a_run_is_packed_with_its_threshold_and_its_card(models, data, tmp_path, capsys):
    run, destination = tmp_path / "run", tmp_path / "packed"
    model = BigBirdForQuestionAnswering.from_pretrained(models / "asked")
    model.save_pretrained(run / "best")
    load_tokenizer(models / "asked").save_pretrained(run)
    (run / "log.jsonl").write_text(json.dumps({"step": 1234, "minutes": 5.4, "machine": "an abacus"}) + "\n")
    trials = tmp_path / "trials.json"
    trials.write_text(
        json.dumps(
            [
                {"title": "A bridge", "task": "answer", "text": "the bridge was built in 1932", "question": "when ?"},
                {"title": "A summary", "task": "summarize", "text": "the bridge was built in 1932"},
            ]
        )
    )
    pack_answering(replace(ANSWERS, name="toy"), run, destination, data, limit=50, trials=trials, note="As it is.")
    engine = Engine()
    reader = engine.load("answer", str(destination))
    assert 0 <= reader.settings.no_answer_threshold <= 1
    config = json.loads((destination / "config.json").read_text())
    fitted = {name: getattr(reader.settings, name) for name in FITTED}
    assert config["task_specific_params"] == {"answer": fitted}
    assert 0.1 <= reader.settings.temperature <= 10
    assert config["torch_dtype"] == "bfloat16"
    card = (destination / "README.md").read_text()
    assert "5 minutes on an abacus, 1,234 steps" in card
    assert "As it is. Recipe: " in " ".join(card.split())
    assert "| answer from several paragraphs | qa/squad_v1.1 dev | exact " in card
    assert "### A bridge (answer)\n\n> the bridge was built in 1932\n\n*when ?*\n\n**Output:** " in card
    assert "A summary" not in card
    assert f"a doubt of {reader.settings.no_answer_threshold:.2f}" in " ".join(card.split())
    assert json.loads(capsys.readouterr().out)["answer"]["pairs"] == 12


@pytest.mark.parametrize(
    ("recipe", "name", "model_class", "says"),
    [
        (FUSION, "taught", EncoderDecoderModel, "An encoder-decoder of two BertGeneration stacks, 3 and 3 layers"),
        (PEGASUS, "summarizing", BigBirdPegasusForConditionalGeneration, "A BigBird-Pegasus, its encoder block-sparse"),
    ],
)
def test_a_run_that_writes_is_packed_with_its_tasks_and_its_card(
    models, written_data, tmp_path, recipe, name, model_class, says
):
    run, destination = tmp_path / "run", tmp_path / "packed"
    model_class.from_pretrained(models / name).save_pretrained(run / "best")
    (run / "spiece.model").write_bytes((models / "spiece.model").read_bytes())
    (run / "log.jsonl").write_text(json.dumps({"step": 1234, "minutes": 5.4, "machine": "an abacus"}) + "\n")
    trials = tmp_path / "trials.json"
    rows = [{"title": f"To {task}", "task": task, "text": "Rain fell.\n" * 400} for task in ("fuse", "summarize")]
    trials.write_text(json.dumps(rows))
    recipe = replace(recipe, generation={task: {"max_new_tokens": 4} for task in recipe.prompts})
    pack_writing(recipe, run, destination, written_data, limit=3, trials=trials, note="As it is.")
    engine = Engine()
    assert engine.card(next(iter(recipe.prompts)), str(destination)).tasks == tuple(recipe.prompts)
    card = (destination / "README.md").read_text()
    assert says in card
    assert "5 minutes on an abacus, 1,234 steps" in card
    assert "As it is. Recipe: " in " ".join(card.split())
    measured = [line.split(" | ")[0] for line in card.splitlines() if line.startswith("| ") and "dev" in line]
    expected = ["| fuse", "| split"] if recipe.name == "fusion" else ["| summarize", "| summarize a long text"]
    assert measured == expected
    assert ("### To fuse (fuse)" in card) == (recipe.name == "fusion")
    assert "(in all 800 words)" in card


@pytest.fixture
def written_data(tmp_path):
    rows = [{"source": "Rain fell. The bridge closed.", "target": "Rain fell and the bridge closed."}] * 4
    for file in ("fusion/wikisplit", "summarization/guardian_rss_standfirst", "longdoc/openstax_section_summary"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        with gzip.open(tmp_path / f"{file}.dev.jsonl.gz", "wt") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path
