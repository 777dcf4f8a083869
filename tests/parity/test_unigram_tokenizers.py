"""What only PEGASUS's and BigBird's tokenizers have, against the reference library and what older releases gave."""

from __future__ import annotations

import json
import shutil

import pytest
import transformers

from seq2seq import tokenizers
from seq2seq.tokenizers.offsets import SPACE_MARK, without_space
from tests.fixtures.tokenizers.samples import SENTENCES, TEXTS, random_texts
from tests.parity.tokenizer_pairs import BIGBIRD_PEGASUS, bigbird_pair, bigbird_pegasus_pair, published

MASKED = "The capital of France is [MASK]."
# What release 4.57.6 of the reference library gives: its PegasusTokenizer and BigBirdTokenizer on the published models.
STORED = {
    "bigbird-pegasus": {
        SENTENCES[0]: [139, 1235, 2799, 18289, 17780, 204, 109, 9474, 1296, 107, 1],
        SENTENCES[2]: [222, 15825, 9172, 131, 116, 11957, 10921, 555, 109, 5847, 206, 6917, 3132, 107, 1],
        "½ of it, ﬁne": [305, 105, 522, 113, 126, 108, 1226, 1],
        "one line.<n>another line": [156, 540, 107, 106, 23612, 540, 1],
    },
    "pegasus": {
        SENTENCES[0]: [242, 1338, 2902, 18392, 17883, 307, 212, 9577, 1399, 210, 1],
        "<mask_1>It rained. The<mask_2>rose.": [2, 271, 34582, 210, 242, 3, 4050, 210, 1],
    },
    "big_bird": {
        SENTENCES[0]: [65, 484, 2169, 7687, 21932, 18146, 726, 363, 17032, 3391, 114, 66],
        "½ of it, ﬁne": [65, 321, 222, 387, 441, 112, 321, 100, 811, 66],
        MASKED: [65, 484, 3240, 387, 4982, 419, 67, 865, 66],
    },
}


@pytest.fixture(scope="module")
def published_tokenizers() -> dict[str, tokenizers.Tokenizer]:
    return {
        "bigbird-pegasus": tokenizers.PegasusTokenizer(published("pegasus"), **BIGBIRD_PEGASUS),
        "pegasus": tokenizers.PegasusTokenizer(published("pegasus")),
        "big_bird": tokenizers.BigBirdTokenizer(published("gpt2")),
    }


@pytest.mark.parametrize("name", STORED)
def test_ids_are_those_of_the_older_release(published_tokenizers, name):
    for text, ids in STORED[name].items():
        assert published_tokenizers[name](text).input_ids == ids, text


def test_bigbirds_ids_are_those_that_the_reference_reads_from_the_model(tmp_path):
    """Without a literal mask: see `bigbird_pair`."""
    shutil.copy(published("gpt2"), tmp_path / "spiece.model")
    ours, reference = (library.BigBirdTokenizer.from_pretrained(tmp_path) for library in (tokenizers, transformers))
    for text in [*TEXTS, *random_texts(500)]:
        text = text.replace("[MASK]", "")
        assert ours(text).input_ids == reference(text).input_ids, repr(text)


@pytest.mark.parametrize("make_pair", [bigbird_pair, bigbird_pegasus_pair])
def test_spans_are_the_same_but_for_white_space(make_pair):
    ours, reference = make_pair(published("gpt2" if make_pair is bigbird_pair else "pegasus"))
    for text in [*TEXTS, *random_texts(300)]:
        expected = reference(text, return_offsets_mapping=True)
        spans = ours(text, return_offsets_mapping=True).offset_mapping
        tokens = reference.convert_ids_to_tokens(expected.input_ids)
        for token, span, reference_span in zip(tokens, spans, expected.offset_mapping, strict=True):
            if token != SPACE_MARK or text[slice(*span)] == SPACE_MARK:
                assert span == without_space(text, *reference_span), repr(text)
            else:  # stands for a space or for nothing
                assert span[0] == span[1], repr(text)


@pytest.mark.parametrize("make_pair", [bigbird_pair, bigbird_pegasus_pair])
def test_a_megabyte_is_the_same(make_pair):
    ours, reference = make_pair(published("gpt2" if make_pair is bigbird_pair else "pegasus"))
    text = "".join(random_texts(30_000))[:1_000_000]
    ids = reference(text).input_ids
    assert ours(text).input_ids == ids
    assert ours.decode(ids) == reference.decode(ids)


def test_types_tell_the_texts_of_a_pair_apart():
    """For PEGASUS the reference library of 5.x says 0 throughout, of 4.x nothing that fits the ids."""
    ours, reference = bigbird_pair(published("gpt2"))
    options = {"return_token_type_ids": True, "truncation": "only_second", "max_length": 16, "padding": "max_length"}
    for text in SENTENCES:
        assert ours("Who is it?", text, **options) == dict(reference("Who is it?", text, **options))


def test_what_the_published_settings_say_is_kept_on_the_way_there_and_back(tmp_path):
    shutil.copy(published("pegasus"), tmp_path / "spiece.model")
    (tmp_path / "config.json").write_text('{"model_type": "bigbird_pegasus"}')
    mask = {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": True, "__type": "AddedToken"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**BIGBIRD_PEGASUS, "mask_token": mask}))
    ours = tokenizers.load_tokenizer(tmp_path)
    ours.save_pretrained(tmp_path / "ours")
    there = transformers.PegasusTokenizer.from_pretrained(tmp_path / "ours")
    there.save_pretrained(tmp_path / "theirs")
    back = tokenizers.load_tokenizer(tmp_path / "theirs")
    assert len(ours) == len(there) == len(back) == 96103
    assert ours.model_max_length == there.model_max_length == back.model_max_length == 4096
    for text in [*TEXTS, MASKED, *random_texts(200)]:
        assert ours(text).input_ids == there(text).input_ids == back(text).input_ids, repr(text)
