from __future__ import annotations

from dataclasses import fields

import pytest

from demo import wording
from demo.setting_fields import FIELDS, read_settings, settings_of
from seq2seq.tasks import GenerationSettings, InputError

BY_NAME = {field.name: field for field in FIELDS}


def test_every_setting_has_a_field_and_words():
    names = {field.name for field in fields(GenerationSettings)}
    assert {"do_sample", *BY_NAME} == names == set(wording.SETTINGS)


def test_an_empty_form_leaves_everything_to_the_model():
    settings = read_settings(False, [""] * len(FIELDS))
    assert settings == GenerationSettings()


def test_what_is_typed_is_read():
    typed = ["4" if field.name == "num_beams" else " 0.9 " if field.name == "top_p" else None for field in FIELDS]
    settings = read_settings(True, typed)
    assert (settings.num_beams, settings.top_p, settings.do_sample) == (4, 0.9, True)


@pytest.mark.parametrize(
    ("name", "typed"),
    [("num_beams", "0"), ("num_beams", "2.5"), ("top_p", "1.1"), ("temperature", "nan"), ("seed", "x" * 9)],
)
def test_what_makes_no_sense_is_refused_by_name(name, typed):
    with pytest.raises(InputError, match=f"{wording.SETTINGS[name][0]} must be"):
        BY_NAME[name].parse(typed)


@pytest.mark.parametrize(("name", "number"), [("num_beams", 500), ("num_beams", 2.5), ("top_p", -1), ("seed", "7")])
def test_programs_are_held_to_the_same_limits(name, number):
    with pytest.raises(InputError, match=f"{wording.SETTINGS[name][0]} must be"):
        settings_of(None, {**dict.fromkeys(BY_NAME), name: number})
