"""Probabilities and alternatives against generating step by step, and what follows another choice."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from seq2seq.explain.choices import choices, go_on, log_probability
from seq2seq.explain.pair import pair_of
from seq2seq.tasks import GenerationSettings, InputError, Written
from tests.seq2seq.explain.conftest import TEXT, finished, pair

AWKWARD = [
    "a",
    "</s> <pad> <s> in the middle of a text",
    "שלום עולם, נעים מאוד",
    "👩‍👩‍👧 moved 🚚 to Oslo",
    "line\n\ntwo",
]
WRITERS = pytest.mark.parametrize(("fixture", "task"), [("writer", "fuse"), ("summarizing", "summarize")])


@pytest.mark.parametrize("num_beams", [1, 3])
@WRITERS
def test_choices_are_what_generating_step_by_step_records(request, fixture, task, num_beams):
    writer = request.getfixturevalue(fixture)
    written = pair(writer, task=task, num_beams=num_beams)
    *_, last = writer.model.generate_steps(
        written.input_ids,
        generation_config=writer.generation_config(task, GenerationSettings(num_beams=num_beams)),
        num_alternatives=8,
        logits_processor=writer.rules(task, [written.source]),
    )
    found = choices(written)
    assert [choice.token_id for choice in found] == last.tokens[0, 1:].tolist() == list(written.target_ids)
    own = [choice.probability for choice in found]
    assert own == pytest.approx(last.log_probabilities[0].exp().tolist(), abs=1e-5)
    assert log_probability(written) == pytest.approx(last.log_probabilities.sum().item(), abs=1e-3)
    for place, choice in enumerate(found):
        others = choice.alternatives
        assert [other.token_id for other in others] == last.alternatives.ids[0, place].tolist()
        expected = last.alternatives.log_probabilities[0, place].exp().tolist()
        assert [other.probability for other in others] == pytest.approx(expected, abs=1e-5)
        assert [other.text for other in others] == writer.tokenizer.convert_ids_to_tokens([o.token_id for o in others])


def test_greedy_writes_the_likeliest_at_each_place(writer):
    for choice in choices(pair(writer)):
        assert choice.alternatives[0].token_id == choice.token_id
        assert choice.alternatives[0].probability == choice.probability


@pytest.mark.parametrize("text", AWKWARD)
def test_choices_stand_where_their_text_does(writer, text):
    written = pair(writer, text)
    for choice in choices(written, num_alternatives=2):
        assert 0 <= choice.probability <= 1.0001
        assert len(choice.alternatives) == 2
        token = choice.token
        assert token.special or written.target_text[token.start : token.end] == token.text


def test_no_more_alternatives_than_the_vocabulary_has(writer):
    vocabulary = writer.model.config.decoder.vocab_size
    assert {len(choice.alternatives) for choice in choices(pair(writer), 10_000)} == {vocabulary}


@pytest.mark.parametrize("place", [0, 1, 5, 11])
@WRITERS
def test_going_on_with_what_was_written_changes_nothing(request, fixture, task, place):
    writer = request.getfixturevalue(fixture)
    before = finished(writer, TEXT, task, min_new_tokens=12)
    *_, after = go_on(pair_of(writer, before.written(task)), place, before.target_ids[place],
                      GenerationSettings(min_new_tokens=12))  # fmt: skip
    assert (after.target_ids, after.text, after.finished) == (before.target_ids, before.text, True)
    assert after.num_source_tokens == before.num_source_tokens


@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}, {"do_sample": True, "seed": 3}])
@WRITERS
def test_another_choice_keeps_what_stands_before_it(request, fixture, task, settings):
    writer = request.getfixturevalue(fixture)
    written = pair(writer, task=task, min_new_tokens=12)
    other = choices(written)[4].alternatives[1].token_id
    snapshots = list(go_on(written, 4, other, GenerationSettings(min_new_tokens=12, **settings)))
    begun = (*written.target_ids[:4], other)
    assert all(snapshot.target_ids[:5] == begun for snapshot in snapshots)
    assert [len(snapshot.target_ids) for snapshot in snapshots] == list(range(6, 6 + len(snapshots)))
    assert [snapshot.finished for snapshot in snapshots] == [False] * (len(snapshots) - 1) + [True]
    assert len(snapshots[-1].target_ids) == 12


def test_what_is_written_after_another_choice_is_the_likeliest_there(writer):
    written = pair(writer, min_new_tokens=12)
    other = choices(written)[2].alternatives[3].token_id
    *_, after = go_on(written, 2, other)
    for choice in choices(pair_of(writer, after.written("fuse")))[3:]:
        assert choice.alternatives[0].token_id == choice.token_id


def test_an_end_that_is_chosen_is_the_end(writer):
    written = pair(writer, min_new_tokens=12)
    end = writer.tokenizer.eos_token_id
    (only,) = go_on(written, 3, end)
    assert only.finished
    assert only.target_ids == (*written.target_ids[:3], end)


def test_there_is_an_end_where_the_positions_have_one(writer):
    long = finished(writer, TEXT, max_new_tokens=63, min_new_tokens=63).written("fuse")
    written = pair_of(writer, long)
    *_, after = go_on(written, 1, 7, GenerationSettings(max_new_tokens=10_000, min_new_tokens=63))
    assert len(after.target_ids) == 63
    (only,) = go_on(written, 62, 7)
    assert only.target_ids == (*written.target_ids[:62], 7)
    full = pair_of(writer, Written("fuse", TEXT, (*long.target_ids, 7)))
    (only,) = go_on(full, 63, 9)
    assert (only.finished, len(only.target_ids)) == (True, 64)


def test_a_typed_output_that_is_longer_than_the_settings_is_gone_on_with(writer):
    written = pair_of(writer, Written("fuse", TEXT, tuple(range(10, 40))))
    *_, after = go_on(written, 20, 9)
    assert 21 < len(after.target_ids) <= 30


def test_names_are_the_sources_after_another_choice_too(writer, monkeypatch):
    parameters = {"fuse": {"prefix": "<fuse> ", "max_new_tokens": 30, "names_from_source": True}}
    monkeypatch.setattr(writer.model.config, "task_specific_params", parameters)
    before = finished(writer, TEXT)
    written = pair_of(writer, before.written("fuse"))
    for place in range(0, len(before.target_ids), 7):
        *_, after = go_on(written, place, before.target_ids[place])
        assert after.target_ids == before.target_ids
    free = Written("fuse", TEXT, tuple(writer.tokenizer("Rain fell on Geneva.", add_special_tokens=False).input_ids))
    assert [snapshot.finished for snapshot in go_on(pair_of(writer, free), 2, free.target_ids[2])][-1]


def test_whoever_stops_asking_stops_the_work(writer, monkeypatch):
    written = pair(writer, min_new_tokens=12)
    calls = []
    logits = type(writer.model.decoder).logits
    monkeypatch.setattr(
        type(writer.model.decoder), "logits", lambda self, states: calls.append(1) or logits(self, states)
    )
    run = go_on(written, 1, 7, GenerationSettings(min_new_tokens=12))
    list(islice(run, 3))
    run.close()
    assert len(calls) == 3


@pytest.mark.parametrize(("place", "token_id"), [(-1, 7), (12, 7), (0, -1), (0, 10_000)])
def test_what_is_not_there_cannot_be_chosen(writer, place, token_id):
    with pytest.raises(InputError, match="there is none at place|is none. Choose"):
        list(go_on(pair(writer, min_new_tokens=12), place, token_id))


def test_probabilities_are_in_float32_whatever_the_model_is_in(writer):
    written = pair(writer)
    logits = torch.nn.functional.pad(torch.full((1, len(written.target_ids), 1), 9.0), (0, 299)).bfloat16()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seq2seq.explain.choices.decode", lambda pair: logits)
        expected = logits.float().log_softmax(-1)[0, range(len(written.target_ids)), list(written.target_ids)]
        assert log_probability(written) == pytest.approx(expected.sum().item(), rel=1e-6)
