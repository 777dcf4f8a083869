"""The rule that words are the source's or English: what it lets through and rules out, and what then comes out."""

import re
import tracemalloc

import pytest
import torch

from seq2seq.tasks import GenerationSettings, write, write_batch
from seq2seq.tasks.copying import Lexicon, NamesFromSource, Pieces, SourceNames, known_runs, parts
from seq2seq.tasks.novelty import novel_facts
from seq2seq.tasks.words import Words, connectives, english

TEXT = "Anna Lind-Øst moved to Oslo in 1932. She paid 65,536 zł for “Café №5” and 東京 😀."


@pytest.fixture(scope="module")
def writer(engine):
    return engine.load("fuse", "taught")


@pytest.fixture(scope="module")
def lexicon(writer):
    return Lexicon(Pieces(writer.tokenizer, len(writer.tokenizer)), english())


def may_write(lexicon, writer, source, output):
    """Whether every piece of `output` is let through behind those before it, and so is an end behind all."""
    names = SourceNames(lexicon, writer.tokenizer.decode(writer.tokenizer(source).input_ids))
    ids = [*writer.tokenizer(output).input_ids, writer.tokenizer.eos_token_id]
    return all(names.allowed(lexicon.pieces.end_of(ids[:place]))[token_id] for place, token_id in enumerate(ids))


@pytest.mark.parametrize(
    "output",
    [
        TEXT,
        "anna lind moved, and Oslo paid",
        "She moved to Oslo and paid 65,536 zł.",
        "Nothing of this. Never before had words been free.",
        "Moved: She paid because of Café №5.",
        "Øst",
        "OSLO in 65,536",
        "in 1932. Rain fell",
    ],
)
def test_words_of_the_source_and_plain_words_may_be_written(lexicon, writer, output):
    assert may_write(lexicon, writer, TEXT, output)


@pytest.mark.parametrize(
    "output",
    [
        "Anna paid 65,537 zł",
        "in 1933",
        "in 19",
        "in 19325",
        "paid 65",
        "paid 65.536",
        "in 1932,536",
        "moved to Osl",
        "moved to Osloo",
        "moved to Bergen",
        "a café née Lind",
        "東",
        "paid zl and 😁",
        "from R2 she moved",
    ],
)
def test_names_numbers_and_letters_that_the_source_lacks_may_not(lexicon, writer, output):
    assert not may_write(lexicon, writer, TEXT, output)


MIXED = "Anna's don’t-care zwölf Brüder O'Brien `retry_with_backoff` über-slow blorptang 'quoxy' 1990's."


@pytest.mark.parametrize(
    "output",
    [
        "the fearless instalment was fulfilled",
        "Anyhow, she walked. Tenants walk",
        "a well-known, half-hearted one",
        "she doesn't, it's theirs, and we'll see o'clock",
        "the tenants' rent and the tenant's house's walls",
        "Tenant's",
        "Anna's, Anna, ANNA",
        "don’t, don't care",
        "O'Brien, o'brien's, Brien",
        "zwölf Brüder, brüder über",
        "retry_with_backoff",
        "Blorptang. blorptang's quoxy",
        "1990's, 1990",
        "'blorptang' 'tenant'",
    ],
)
def test_words_of_the_source_in_any_language_and_english_ones_may_be_written(lexicon, writer, output):
    assert may_write(lexicon, writer, MIXED, output)


@pytest.mark.parametrize(
    "output",
    [
        "pondss",
        "any anytal of it",
        "fiendishishly",
        "Fiendishishly",
        "tenantt's",
        "a well-knownn one",
        "well-knwon",
        "blorptangs",
        "blorp",
        "retry_with",
        "he doesn go",
        "he doesn's go",
        "tenant'z",
        "zwolf",
        "Obama went",
        "xylq. Then",
    ],
)
def test_words_that_are_neither_the_source_s_nor_english_may_not(lexicon, writer, output):
    assert not may_write(lexicon, writer, MIXED, output)


OPENED = "Engineers came. Rain fell in Oslo, and the Lake was closed. Anna saw it."


@pytest.mark.parametrize("output", ["Rain fell and engineers came", "in the Lake", "a lake", "and Anna saw", "Lake"])
def test_what_opens_a_sentence_of_the_source_is_written_small_inside_one(lexicon, writer, output):
    assert may_write(lexicon, writer, OPENED, output)


@pytest.mark.parametrize("output", ["it fell and Engineers came", "in Rain", "the LAKE"])
def test_but_not_with_a_capital_unless_it_is_a_name(lexicon, writer, output):
    assert not may_write(lexicon, writer, OPENED, output)


def test_with_connectives_alone_other_words_must_be_the_source_s(lexicon, writer):
    closed = Lexicon(lexicon.pieces, connectives())
    for output in ("Rain fell in Oslo, which was closed, and engineers came.", "Closed, although it came.", "Saw it"):
        assert may_write(closed, writer, OPENED, output)
    for output in ("engineer came", "it saw rains", "a valedictory lake", "Nobody came"):
        assert not may_write(closed, writer, OPENED, output)
        assert may_write(lexicon, writer, OPENED, output)


def test_english_is_a_sorted_list_of_plain_words():
    words = [word.decode() for word in english()]
    assert 25_000 < len(words) < 35_000
    assert words == sorted(words)
    assert all(re.fullmatch(r"[a-z]+('[a-z]+)*", word) for word in words)
    assert {"the", "house", "don't", "instalment"} < set(words)
    assert {"obama", "teh", "ofthe", "s", "t"}.isdisjoint(words)


def test_words_know_how_one_half_written_may_go_on():
    words = Words([b"pond", b"ponder", b"don't"])
    assert list(words.beginning_with(b"pon")) == [b"pond", b"ponder"]
    assert list(words.beginning_with(b"pond'")) == [b"pond's", b"pond'd", b"pond'll", b"pond'm", b"pond're", b"pond've"]
    assert list(words.beginning_with(b"ponds")) == []
    assert [run in words for run in (b"pond", b"pond's", b"pond'", b"don", b"don'", b"")] == [True] * 3 + [False] * 3


def test_a_name_longer_than_any_other_is_held_to_its_last_letter(lexicon, writer):
    digits = "0x" + "".join(str(number * 7 % 10) for number in range(80))
    assert may_write(lexicon, writer, f"The sum was {digits}.", f"a sum of {digits}")
    assert not may_write(lexicon, writer, f"The sum was {digits}.", f"a sum of {digits[:-1]}")


def test_a_word_takes_memory_by_its_length_not_by_its_square(lexicon):
    word = "aB" + "xylq" * 2000
    tracemalloc.start()
    names = SourceNames(lexicon, f"{word} fell.")
    names.allowed(word[:4000].encode())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000  # all of its beginnings are 32 MB, in each of four cases


def test_a_word_with_a_thousand_tails_has_no_more_parts_than_letters():
    assert [*parts(b"Anna's've")] == [b"Anna's've", b"Anna's", b"Anna", b"Anna"]
    tailed = b"xylq" + b"'s" * 1500
    found = [*parts(tailed)]
    assert found[0] == tailed
    assert b"xylq" in found
    assert sum(map(len, found)) < 20 * len(tailed)
    assert set(found) <= set(known_runs(tailed.decode()))


SHORT = "Anna Lind paid 65,536 zł in Øst."


def outputs_at_random(engine, writer, monkeypatch, names_from_source):
    """What a model that knows nothing draws."""
    parameters = {task: dict(values) for task, values in writer.model.config.task_specific_params.items()}
    parameters["fuse"] |= {"names_from_source": names_from_source}
    monkeypatch.setattr(writer.model.config, "task_specific_params", parameters)
    for seed in range(25):
        settings = GenerationSettings(do_sample=True, temperature=3.0, top_k=0, seed=seed, max_new_tokens=40)
        *_, result = write(writer, "fuse", SHORT, settings)
        yield result.text


def test_no_novel_fact_no_made_up_word_and_no_broken_letter_is_ever_written(engine, writer, monkeypatch):
    free = list(outputs_at_random(engine, writer, monkeypatch, names_from_source=False))
    assert sum(len(novel_facts(SHORT, text)) for text in free) > 25
    assert any("\N{REPLACEMENT CHARACTER}" in text for text in free)
    known = Words(word.encode() for word in re.findall(r"\w+", SHORT.lower()))
    for text in outputs_at_random(engine, writer, monkeypatch, names_from_source=True):
        whole = re.sub(r"[\w',.:\ufffd]*$", "", text)  # the last word may have been cut by the longest output
        assert [whole[start:end] for start, end in novel_facts(SHORT, whole)] == [], text
        assert "\N{REPLACEMENT CHARACTER}" not in whole
        words = [word.encode() for word in re.findall(r"\w+(?:'\w+)*", whole.lower())]
        assert [word for word in words if word not in known and word not in english()] == [], text


@pytest.mark.parametrize("num_beams", [1, 3])
def test_each_text_of_a_batch_is_held_to_its_own_names(writer, monkeypatch, num_beams):
    prompt = writer.model.config.task_specific_params["fuse"]["prefix"]
    parameters = {"fuse": {"prefix": prompt, "max_new_tokens": 30, "names_from_source": True}}
    monkeypatch.setattr(writer.model.config, "task_specific_params", parameters)
    texts = ["Anna moved to Oslo in 1932.", "Rain fell on 7 bridges in Skarvik.", "Nobody came."]
    settings = GenerationSettings(num_beams=num_beams)
    together = write_batch(writer, "fuse", texts, settings)
    for text, output in zip(texts, together, strict=True):
        *_, alone = write(writer, "fuse", text, settings)
        assert output == alone.text


def test_where_other_rules_left_nothing_the_scores_stay(lexicon, writer):
    rule = NamesFromSource(lexicon, ["Rain fell."])
    tokens = torch.tensor([[2]])
    scores = torch.full((1, len(lexicon.pieces.contents)), -torch.inf)
    forbidden = writer.tokenizer("Oslo 2").input_ids[-1]
    scores[0, forbidden] = 0.0
    assert torch.equal(rule(tokens, scores), scores)


def test_a_line_that_ends_ends_its_word(lexicon):
    names = SourceNames(lexicon, "Rain fell.")
    assert torch.equal(names.allowed(b"buoy\n"), names.allowed(b"buoy "))


def test_beams_of_one_source_share_its_names(lexicon, writer):
    rule = NamesFromSource(lexicon, ["He met 3 men.", "He met 2 men."])
    scores = torch.zeros(4, len(lexicon.pieces.contents))
    start = [*writer.tokenizer("he met").input_ids, writer.tokenizer.convert_tokens_to_ids("▁")]
    ruled = rule(torch.tensor([[2, *start]] * 4), scores)
    assert torch.equal(ruled[0], ruled[1])
    assert torch.equal(ruled[2], ruled[3])
    assert not torch.equal(ruled[0], ruled[2])
