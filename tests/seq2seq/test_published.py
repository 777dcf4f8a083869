"""Published checkpoints: tiny ones of the same layouts and names, from a stand-in for the Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http
from safetensors.torch import save_file
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine import Engine, EngineSettings, Loading, loading, local
from seq2seq.engine.published import OFFERED, PUBLISHED
from seq2seq.models import (
    BertConfig,
    BertGenerationConfig,
    BertGenerationEncoder,
    BigBirdConfig,
    BigBirdForQuestionAnswering,
    BigBirdPegasusConfig,
    BigBirdPegasusForConditionalGeneration,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.tasks.prompts import Prompt, prepared
from seq2seq.tasks.source import read_source
from seq2seq.tokenizers import BertGenerationTokenizer
from tests.fixtures.tokenizers.samples import train_sentencepiece
from tests.hub import Handler, Hub, connected
from tests.waiting import within

DISCOFUSE, WIKISPLIT, GIGAWORD = (
    f"google/roberta2roberta_L-24_{name}" for name in ("discofuse", "wikisplit", "gigaword")
)
TEXT = 'The quick brown fox said "we don\'t know" in 1999, and 3.50 dogs jumped over Zürich.'
ASKED = "Who jumped over Zürich?"
# What the model should be sent; of all others, the text as it is.
SENT = {
    DISCOFUSE: TEXT.replace('"', "`"),
    WIKISPLIT: f"<s>{TEXT}</s>".replace('"', "''"),
    GIGAWORD: 'the quick brown fox said "we don\'t know" in ####, and #.## dogs jumped over zürich.',
}
STACK = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 128, "initializer_range": 0.4,
}  # fmt: skip


@pytest.fixture(scope="session")
def spiece(tmp_path_factory) -> Path:
    """Pieces of which the first are those of bert-generation: <pad>, </s>, <s>."""
    special = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "user_defined_symbols": ["#", "`"]}
    return train_sentencepiece(tmp_path_factory.mktemp("spiece"), **special)


@pytest.fixture(scope="session")
def pegasus(tmp_path_factory) -> Path:
    special = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "user_defined_symbols": ["<n>", "[MASK]", '"']}
    return train_sentencepiece(tmp_path_factory.mktemp("pegasus"), byte_fallback=False, **special)


@pytest.fixture(scope="session")
def bigbird(tmp_path_factory) -> Path:
    pieces = ["[CLS]", "[SEP]", "[MASK]", '"']
    special = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "user_defined_symbols": pieces}
    return train_sentencepiece(tmp_path_factory.mktemp("bigbird"), byte_fallback=False, **special)


def pieces_in(spiece: Path) -> int:
    return SentencePieceProcessor(model_file=str(spiece)).get_piece_size()


def pickled(model: PreTrainedModel, folder: Path) -> None:
    """As most are published: a pickle as torch wrote it in 2020, what is shared stored once under all of its names."""
    model.save_pretrained(folder)
    names = model.names(model.config)
    state = {foreign: tensor for name, tensor in model.state_dict().items() for foreign in names.to_foreign(name)}
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def shared_pair(folder: Path, spiece: Path) -> PreTrainedModel:
    """bert-generation in both stacks, which are one: config.json, generation_config.json, spiece.model, a pickle."""
    half = STACK | {"vocab_size": pieces_in(spiece), "bos_token_id": None, "eos_token_id": None}
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        BertGenerationConfig(**half, architectures=["BertGenerationEncoder"]),
        BertGenerationConfig(**half, architectures=["BertGenerationEncoder"], max_length=20, num_beams=1),
        bos_token_id=2, decoder_start_token_id=2, eos_token_id=1, pad_token_id=0, tie_encoder_decoder=True,
        max_length=12, vocab_size=pieces_in(spiece),
    )  # fmt: skip
    model = EncoderDecoderModel(config)
    pickled(model, folder)
    (folder / "spiece.model").write_bytes(spiece.read_bytes())
    ids = {"bos_token_id": 2, "decoder_start_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
    settings = {"_from_model_config": True, "max_length": 12, "transformers_version": "4.27.0.dev0", **ids}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return model


def encoder_alone(folder: Path, spiece: Path) -> PreTrainedModel:
    config = BertGenerationConfig(**STACK, vocab_size=pieces_in(spiece), architectures=["BertGenerationEncoder"])
    model = BertGenerationEncoder(config)
    pickled(model, folder)
    (folder / "spiece.model").write_bytes(spiece.read_bytes())
    return model


def untied_pair(folder: Path) -> PreTrainedModel:
    """BERT in two stacks of their own: config.json, vocab.txt, a pickle."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *".,?\"'", *(f"##{each}" for each in letters)]
    half = STACK | {"vocab_size": len(pieces)}
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        BertConfig(**half, architectures=["BertForMaskedLM"]), BertConfig(**half, architectures=["BertForMaskedLM"]),
        decoder_start_token_id=2, eos_token_id=3, pad_token_id=0, max_length=14, min_length=5, num_beams=4,
        no_repeat_ngram_size=3, early_stopping=True, length_penalty=2.0,
    )  # fmt: skip
    model = EncoderDecoderModel(config)
    pickled(model, folder)
    (folder / "vocab.txt").write_text("\n".join(pieces))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": 512}))
    return model


def long_pair(folder: Path, pegasus: Path) -> PreTrainedModel:
    config = BigBirdPegasusConfig(
        vocab_size=pieces_in(pegasus), d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=128, init_std=0.4,
        block_size=4, num_random_blocks=1, num_beams=5, length_penalty=0.8, max_length=12,
        tokenizer_class="PegasusTokenizer",
    )  # fmt: skip
    model = BigBirdPegasusForConditionalGeneration(config)
    pickled(model, folder)
    (folder / "spiece.model").write_bytes(pegasus.read_bytes())
    told = {"offset": 0, "mask_token": "[MASK]", "mask_token_sent": None, "model_max_length": 4096}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return model


def questioned(folder: Path, bigbird: Path) -> PreTrainedModel:
    config = BigBirdConfig(
        **STACK, vocab_size=pieces_in(bigbird), block_size=4, num_random_blocks=1, type_vocab_size=16, sep_token_id=5
    )
    model = BigBirdForQuestionAnswering(config)
    pickled(model, folder)
    (folder / "spiece.model").write_bytes(bigbird.read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BigBirdTokenizer"}))
    return model


def safetensors_of(folder: Path, beside: Path, shard_size: int | None = None) -> None:
    """The same checkpoint as a bot offers it: the other files too, of what is shared one name; or in shards."""
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    first: dict[int, str] = {}
    once = {name: each for name, each in state.items() if first.setdefault(each.data_ptr(), name) == name}
    for path in folder.iterdir():
        if path.name != "pytorch_model.bin" or shard_size is None:
            (beside / path.name).write_bytes(path.read_bytes())
    if shard_size is None:
        save_file({name: each.contiguous() for name, each in once.items()}, beside / "model.safetensors")
        return
    names = list(once)
    groups = [names[at : at + shard_size] for at in range(0, len(names), shard_size)]
    files = [f"model-{number:05}-of-{len(groups):05}.safetensors" for number in range(1, len(groups) + 1)]
    for file, group in zip(files, groups, strict=True):
        save_file({name: once[name].contiguous() for name in group}, beside / file)
    weight_map = {name: file for file, group in zip(files, groups, strict=True) for name in group}
    index = {"metadata": {"total_size": sum(each.nbytes for each in once.values())}, "weight_map": weight_map}
    (beside / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory, spiece, pegasus, bigbird) -> dict[str, tuple[Path, PreTrainedModel]]:
    """A folder and its model for each entry."""
    torch.manual_seed(0)
    made = {}
    for name in PUBLISHED:
        folder = tmp_path_factory.mktemp(name.replace("/", "-"))
        if "roberta2roberta" in name:
            made[name] = folder, shared_pair(folder, spiece)
        elif "bert2bert" in name:
            made[name] = folder, untied_pair(folder)
        elif "encoder" in name:
            made[name] = folder, encoder_alone(folder, spiece)
        elif "pegasus" in name:
            made[name] = folder, long_pair(folder, pegasus)
        else:
            made[name] = folder, questioned(folder, bigbird)
    return made


@pytest.fixture
def hub(checkpoints, tmp_path) -> Iterator[Hub]:
    """As the real one: main has pickles, and some entries have safetensors in the revision that they name."""
    hub = Hub()
    for name, (folder, _) in checkpoints.items():
        hub.add(name, folder)
        for revision in PUBLISHED[name].revisions:
            beside = tmp_path / "beside" / name
            beside.mkdir(parents=True)
            safetensors_of(folder, beside)
            hub.add(name, beside, revision)
    with connected(hub, tmp_path / "cache"):
        yield hub


@pytest.fixture
def engine(hub, tmp_path) -> Engine:
    return Engine(EngineSettings(models=tmp_path / "none", published="all", device="cpu", dtype="float32"))


def weights_sent(hub: Hub) -> list[tuple[str, str]]:
    """Revision and file."""
    return [(revision, file) for _, revision, file in hub.sent if file.startswith(("model", "pytorch_model"))]


def same(model: PreTrainedModel, other: PreTrainedModel) -> bool:
    theirs: dict[str, Tensor] = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in model.state_dict().items())


def test_nothing_is_asked_of_the_hub_before_a_model_is_used(engine, hub):
    engine.load_defaults()
    assert {card.name for card in engine.encoders()} == set(OFFERED)
    assert hub.num_requests == 0
    card = engine.card("fuse")
    assert (card.name, card.num_layers, card.num_heads, card.max_source_tokens) == (DISCOFUSE, 24, 16, 512)
    assert card.num_bytes == 1_820_000_000
    assert engine.must_be_fetched("fuse")


def test_none_is_offered_unasked():
    assert EngineSettings().published == ()
    assert all(card.published is None for card in Engine(EngineSettings()).encoders())


def test_a_host_names_some_or_all(monkeypatch):
    monkeypatch.setenv("GLOSS_PUBLISHED", "all")
    assert EngineSettings().published == OFFERED
    monkeypatch.setenv("GLOSS_PUBLISHED", json.dumps([WIKISPLIT]))
    assert EngineSettings().published == (WIKISPLIT,)
    with pytest.raises(ValueError, match="owner/model: not known here.*extra_models.*discofuse"):
        EngineSettings(published=("owner/model",))


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - set(OFFERED)))
def test_one_that_does_no_task_is_for_python_alone(hub, checkpoints, tmp_path, name, caplog):
    engine = Engine(EngineSettings(models=tmp_path / "none", published=(name,)))
    assert engine.encoders() == ()
    assert f"{name} is left out" in caplog.text
    assert "In Python: " in caplog.text
    with pytest.raises(CheckpointError, match="does nothing that is asked for here"):
        engine.card("fuse", name)
    model = checkpoints[name][1]
    assert same(type(model).from_pretrained(name), model)


@pytest.mark.parametrize("name", [name for name in OFFERED if "answer" not in PUBLISHED[name].parameters])
def test_each_that_writes_is_fetched_and_sent_the_text_as_it_was_taught(engine, hub, checkpoints, name):
    [task] = engine.card(*PUBLISHED[name].parameters, name).tasks
    *_, result = engine.run(task, TEXT, name)
    assert result.finished
    assert not engine.must_be_fetched(task, name)
    revision, *_ = (*PUBLISHED[name].revisions, "main")
    file = "pytorch_model.bin" if revision == "main" else "model.safetensors"
    assert weights_sent(hub) == [(revision, file)]
    writer = engine.load(task, name)
    assert same(writer.model, checkpoints[name][1])
    source = writer.source(task, TEXT)
    assert source.input_ids == tuple(writer.tokenizer(SENT.get(name, TEXT)).input_ids)
    assert source.num_cut_tokens == 0
    assert writer.tokenizer.unk_token_id not in source.input_ids
    shown = [token for token in source.tokens if not token.special]
    assert all(token.text == TEXT[token.start : token.end] for token in shown)
    read = {place for token in shown for place in range(token.start, token.end)}
    assert {place for place in range(len(TEXT)) if not TEXT[place].isspace()} <= read


def test_the_one_that_answers_is_fetched_and_always_answers(engine, hub, checkpoints):
    name = "google/bigbird-base-trivia-itc"
    *_, reading = engine.answer(ASKED, TEXT)
    assert reading.answer.best.text in TEXT
    assert weights_sent(hub) == [("main", "pytorch_model.bin")]
    reader = engine.load("answer")
    assert same(reader.model, checkpoints[name][1])
    passage = reader.passage(ASKED, TEXT, reader.settings)
    [window] = passage.windows
    assert passage.row(window).input_ids == tuple(reader.tokenizer(ASKED, TEXT).input_ids)


def test_what_is_known_of_generating_is_heeded(engine):
    writer = engine.load("fuse")
    assert writer.parameters("fuse").search == {"num_beams": 4}
    long = engine.load("summarize", "google/bigbird-pegasus-large-pubmed")
    assert long.parameters("summarize").search["length_penalty"] == 0.8


def test_a_text_that_is_cut_keeps_its_suffix(engine):
    writer = engine.load("split")
    source = writer.source("split", "Rain fell. " * 100)
    assert (source.input_ids[0], source.input_ids[-1]) == (writer.tokenizer.bos_token_id, writer.tokenizer.eos_token_id)
    assert len(source.input_ids) == writer.limit
    assert source.num_cut_tokens == writer.num_tokens("split", "Rain fell. " * 100) - writer.limit > 0


def test_safetensors_in_shards_and_in_main_come_first(engine, hub, checkpoints, tmp_path):
    folder, model = checkpoints[DISCOFUSE]
    beside = tmp_path / "shards"
    beside.mkdir()
    safetensors_of(folder, beside, shard_size=10)
    hub.add(DISCOFUSE, beside)
    assert same(engine.load("fuse").model, model)
    assert {revision for revision, _ in weights_sent(hub)} == {"main"}
    assert len(weights_sent(hub)) > 3
    assert "pytorch_model.bin" not in {file for _, file in weights_sent(hub)}


def test_where_the_named_revision_is_gone_the_pickle_is_taken(engine, hub, checkpoints):
    del hub.repositories[DISCOFUSE]["refs/pr/1"]
    assert same(engine.load("fuse").model, checkpoints[DISCOFUSE][1])
    assert weights_sent(hub) == [("main", "pytorch_model.bin")]


def test_a_published_id_is_known_also_where_it_was_not_offered(hub, tmp_path):
    engine = Engine(EngineSettings(models=tmp_path / "none", device="cpu", dtype="float32"))
    assert engine.load("fuse", DISCOFUSE).parameters("fuse").rules == ["quotes as backticks"]


def test_what_was_fetched_once_is_there_without_the_network(engine, hub, tmp_path, monkeypatch):
    engine.load("fuse")
    engine.load("summarize", GIGAWORD)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    again = Engine(EngineSettings(models=tmp_path / "none", published="all", device="cpu", dtype="float32"))
    assert not any(each.total for each in again.loading("fuse"))
    assert same(again.load("fuse").model, engine.load("fuse").model)
    assert same(again.load("summarize", GIGAWORD).model, engine.load("summarize", GIGAWORD).model)
    with pytest.raises(CheckpointError, match="not in the local cache.*Connect once"):
        again.load("split")


@pytest.mark.parametrize(
    ("refusal", "message"),
    [((403, "GatedRepo"), "grant access"), ((401, "RepoNotFound"), "neither a folder here nor a repository")],
)
def test_one_that_is_refused_breaks_no_other_and_is_asked_for_again(engine, hub, refusal, message):
    hub.refused[DISCOFUSE] = refusal
    for _ in range(2):
        with pytest.raises(CheckpointError, match=message):
            list(engine.loading("fuse"))
    *_, split = engine.run("split", TEXT)
    assert split.finished
    del hub.refused[DISCOFUSE]
    *_, fused = engine.run("fuse", TEXT)
    assert fused.finished


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("file", ["generation_config.json", "model.safetensors"])
def test_a_file_that_the_hub_does_not_send_just_now_is_not_taken_for_one_that_it_lacks(
    engine, hub, monkeypatch, status, file
):
    """Or a model would write by other settings than its own, or be loaded from another file, and nobody be told."""
    monkeypatch.setattr(_http.time, "sleep", lambda _: None)
    hub.failing[file] = status
    with pytest.raises(
        CheckpointError, match=rf"{re.escape(file)} of .*could not be fetched from the Hub \(.*{status}"
    ):
        engine.load("fuse")
    hub.failing.clear()
    *_, fused = engine.run("fuse", TEXT)
    assert fused.finished


def test_a_model_that_cannot_be_had_at_the_start_is_left_out(hub, tmp_path, caplog):
    settings = EngineSettings(
        models=tmp_path / "none", published=(WIKISPLIT,), extra_models=("owner/gone", "./nowhere"), device="cpu"
    )
    assert [card.name for card in Engine(settings).encoders()] == [WIKISPLIT]
    assert "owner/gone is left out" in caplog.text
    assert "./nowhere is left out" in caplog.text


def test_a_hub_that_hangs_does_not_hold_up_the_start(hub, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(local, "SECONDS_TO_ANSWER", 0.5)
    hub.hanging |= {"owner/one", "owner/other"}
    settings = EngineSettings(
        models=tmp_path / "none", published=(WIKISPLIT,), extra_models=("owner/one", "owner/other"), device="cpu"
    )
    with within(constants.HF_HUB_ETAG_TIMEOUT):
        assert [card.name for card in Engine(settings).encoders()] == [WIKISPLIT]
    told = [record.getMessage() for record in caplog.records if record.name == local.__name__]
    assert [line.split(" is left out: It was not there in time.")[0] for line in told] == [*settings.extra_models]


def test_a_line_that_breaks_once_is_taken_up_where_it_broke(engine, hub, monkeypatch):
    """By huggingface_hub itself, unseen."""
    hub.cut["model.safetensors"] = 1000
    monkeypatch.setattr(file_download.time, "sleep", lambda _: hub.cut.clear())
    assert engine.load("fuse").model
    assert len(weights_sent(hub)) == 2


def test_a_download_that_broke_off_is_begun_again_at_the_next_request(engine, hub, checkpoints, tmp_path, monkeypatch):
    hub.cut["model.safetensors"] = 1000
    monkeypatch.setattr(file_download.time, "sleep", lambda _: None)
    with pytest.raises(CheckpointError, match=r"model\.safetensors of .*could not be fetched from the Hub"):
        engine.load("fuse")
    assert engine.must_be_fetched("fuse")
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    hub.cut.clear()
    assert same(engine.load("fuse").model, checkpoints[DISCOFUSE][1])


def test_whoever_waits_is_told_how_much_is_there(engine, hub, monkeypatch):
    monkeypatch.setattr(loading, "SECONDS_BETWEEN", 0)
    snapshots = list(engine.loading("fuse"))
    assert all(isinstance(each, Loading) for each in snapshots)
    done = [each.done for each in snapshots]
    assert done == sorted(done)
    size = len(hub.repositories[DISCOFUSE]["refs/pr/1"]["model.safetensors"])
    assert done[-1] >= size
    assert {each.total for each in snapshots} == {0, PUBLISHED[DISCOFUSE].num_bytes}
    assert list(engine.loading("fuse")) == []


def test_two_who_wait_wait_for_the_same_and_one_may_leave(engine, hub, monkeypatch):
    monkeypatch.setattr(loading, "SECONDS_BETWEEN", 0)
    first = engine.loading("fuse")
    next(first)
    second = engine.loading("fuse")
    next(second)
    first.close()
    list(second)
    assert engine.load("fuse") is engine.load("fuse")
    assert len(weights_sent(hub)) == 1


@pytest.mark.parametrize("rules", [["quotes as apostrophes"], ["lower case", "digits as #"], ["quotes as backticks"]])
def test_every_character_that_is_sent_knows_where_it_is_from(rules):
    text = 'A "B" İ3 \U0001f600 "" Σ\n'
    sent = prepared(text, Prompt(rules=rules))
    assert len(sent.text) == len(sent.starts) == len(sent.ends)
    assert sent.span(0, len(sent.text)) == (0, len(text))
    for place, character in enumerate(sent.text):
        start, end = sent.span(place, place + 1)
        assert end == start + 1
        rewritten = {"'": '"', "`": '"', "#": "3"}.get(character, character)
        assert text[start] == rewritten or rewritten in text[start].lower()


def test_spans_of_what_two_characters_stand_for(spiece):
    text = 'He said "no".'
    source = read_source(text, Prompt(rules=["quotes as apostrophes"]), BertGenerationTokenizer(spiece), 64)
    quotes = [token for token in source.tokens if token.text == '"']
    assert {(token.start, token.end) for token in quotes} == {(8, 9), (11, 12)}
    assert source.tokens[-1].text == "."


class MovingHub(Hub):
    """Its main can be at another commit."""

    at = "a" * 40

    def commit(self, repository: str, revision: str) -> str:
        return self.at if revision == "main" else super().commit(repository, revision)


@pytest.mark.parametrize("when", ["HEAD", "GET"])
def test_all_files_of_a_load_are_of_one_commit_though_main_moves(checkpoints, tmp_path, monkeypatch, when):
    hub, cache = MovingHub(), tmp_path / "cache"
    for revision in ("main", "a" * 40, "b" * 40):
        hub.add(GIGAWORD, checkpoints[GIGAWORD][0], revision)
    send = Handler.send

    def send_and_move(handler: Handler, *file: str) -> None:
        send(handler, *file)
        if handler.command == when:
            hub.at = "b" * 40

    monkeypatch.setattr(Handler, "send", send_and_move)
    with connected(hub, cache):
        engine = Engine(EngineSettings(models=tmp_path / "none", published="all", device="cpu", dtype="float32"))
        engine.load("summarize", GIGAWORD)
    files = list(cache.glob("models--*/snapshots/*/*"))
    assert {"config.json", "pytorch_model.bin", "spiece.model"} <= {path.name for path in files}
    assert len({path.parent.name for path in files}) == 1
