from __future__ import annotations

from dataclasses import fields

import pytest

from demo import wording
from demo.setting_fields import AUTOMATIC, FIELDS, read_settings, settings_of
from seq2seq.tasks import WORDINGS, GenerationSettings, InputError

BY_NAME = {field.name: field for field in FIELDS}


def test_every_setting_has_a_field_and_words():
    names = {field.name for field in fields(GenerationSettings)}
    assert {"wording", "do_sample", *BY_NAME} == names == {"wording", *wording.SETTINGS}
    assert {value for _, value in wording.WORDING_CHOICES} == {AUTOMATIC, *WORDINGS}


def test_an_empty_form_leaves_everything_to_the_model():
    settings = read_settings(AUTOMATIC, False, [""] * len(FIELDS))
    assert settings == GenerationSettings()


def test_what_is_typed_is_read():
    typed = ["4" if field.name == "num_beams" else " 0.9 " if field.name == "top_p" else None for field in FIELDS]
    settings = read_settings("quoted", True, typed)
    assert (settings.num_beams, settings.top_p, settings.do_sample, settings.wording) == (4, 0.9, True, "quoted")


@pytest.mark.parametrize(
    ("name", "typed"),
    [("num_beams", "0"), ("num_beams", "2.5"), ("top_p", "1.1"), ("temperature", "nan"), ("seed", "x" * 9)],
)
def test_what_makes_no_sense_is_refused_by_name(name, typed):
    with pytest.raises(InputError, match=f"{wording.SETTINGS[name][0]} must be"):
        BY_NAME[name].parse(typed)


def test_of_what_makes_no_sense_little_is_said_again():
    for refused in (lambda: BY_NAME["seed"].parse("<" * 10_000), lambda: settings_of("<" * 10_000, None, {})):
        with pytest.raises(InputError) as told:
            refused()
        assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    ("name", "number"), [("num_beams", 500), ("num_beams", 2.5), ("top_p", -1), ("seed", "7"), ("seed", True)]
)
def test_programs_are_held_to_the_same_limits(name, number):
    with pytest.raises(InputError, match=f"{wording.SETTINGS[name][0]} must be"):
        settings_of(None, None, {**dict.fromkeys(BY_NAME), name: number})


def test_an_unknown_wording_is_refused():
    with pytest.raises(InputError, match="“own” or “quoted”"):
        settings_of("sung", None, dict.fromkeys(BY_NAME))
