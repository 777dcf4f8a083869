"""Checkpoints that are made to run code, to lead out of their folder, or to take all memory: refused by their heads."""

from __future__ import annotations

import json
import pickle
import resource
import shutil
import struct
import subprocess
import sys
import time
import traceback
import zipfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.checkpoints.errors import CheckpointError, DamagedError, blaming
from seq2seq.checkpoints.files import read_tensors
from seq2seq.checkpoints.hub import read_json
from seq2seq.config import read_config
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tasks import GenerationSettings
from seq2seq.tokenizers import BertGenerationTokenizer, load_tokenizer, unigram

ROOT = Path(__file__).parents[2]
SMALL = {
    "model_type": "bert-generation",
    "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 8, "max_position_embeddings": 16,
}  # fmt: skip


def safetensors_file(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def tensor(start: int, end: int, shape=(2,), dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "header",
    [
        {"a": tensor(0, 8), "b": tensor(4, 12)},  # over each other
        {"a": tensor(0, 8), "b": tensor(100, 108)},  # a hole
        {"a": tensor(-8, 0)},
        {"a": tensor(8, 0)},
        {"a": tensor(0, 8, (2**62, 4))},
        {"a": tensor(0, 8, (-2,))},
        {"a": tensor(0, 2**63)},
        {"a": tensor(0, 8, dtype="OBJECT")},
        {"a": [1]},
        {"a": None},
    ],
)
def test_a_head_that_lies_is_not_believed(tmp_path, header):
    path = safetensors_file(tmp_path / "model.safetensors", json.dumps(header).encode(), bytes(16))
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)


@pytest.mark.parametrize("length", [2**63, 2**40, 200_000_000])
def test_a_giant_head_is_not_read(tmp_path, length):
    path = safetensors_file(tmp_path / "model.safetensors", b"{}", length=length)
    with path.open("ab") as file:
        file.truncate(300_000_000)  # sparse: as long as it says, for the shortest of them
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB


def test_a_packed_bin_is_not_unpacked(tmp_path):
    """torch writes its archives unpacked; one that is not could unpack to anything."""
    torch.save({"a": torch.zeros(10)}, tmp_path / "whole.bin")
    path = tmp_path / "pytorch_model.bin"
    with ZipFile(tmp_path / "whole.bin") as whole, ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for name in whole.namelist():
            content = bytes(100_000_000) if "/data/" in name else whole.read(name)
            packed.writestr(name, content)
    assert path.stat().st_size < 200_000
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom seq2seq.checkpoints.files import read_tensors\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_tensors(Path(sys.argv[1]))\nexcept ValueError:\n    pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = [sys.executable, "-c", script, str(path)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert int(told) < 60_000  # kB


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 101}, {"hidden_size": 2**40}, {"vocab_size": 10**15}, {"num_hidden_layers": -1},
        {"num_attention_heads": 0}, {"hidden_size": "8"}, {"intermediate_size": None}, {"vocab_size": 1e300},
        {"max_position_embeddings": 10**15}, {"num_attention_heads": [2]},
        {"hidden_act": "__import__('os').system('id')"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_configuration_of_a_giant_or_of_nonsense_is_refused_at_once(tmp_path, half, changes):
    """Nothing of a model takes memory before its size is known to be that of its files."""
    decoder = SMALL | {"is_decoder": True, "add_cross_attention": True}
    pair = {"model_type": "encoder-decoder", "encoder": SMALL, "decoder": decoder}
    folder = checkpoint(tmp_path / "odd", pair | {half: pair[half] | changes})
    began = time.monotonic()
    with pytest.raises(CheckpointError):
        Engine(EngineSettings(models=tmp_path / "none", device="cpu")).load("fuse", str(folder))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("changes", [{"encoder_layers": 10**9}, {"decoder_layers": "8"}, {"vocab_size": -1}], ids=str)
def test_a_bigbird_pegasus_of_nonsense_is_refused_at_once(tmp_path, changes):
    folder = checkpoint(tmp_path / "odd", {"model_type": "bigbird_pegasus"} | changes)
    with pytest.raises(CheckpointError):
        Engine(EngineSettings(models=tmp_path / "none", device="cpu")).load("summarize", str(folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": []}, {"architectures": 5}, {"architectures": [[]]}, {"task_specific_params": ["fuse"]},
        {"decoder": SMALL | {"pad_token_id": 99}}, {"decoder": SMALL | {"layer_norm_eps": None}},
        {"task_specific_params": {"fuse": {"rules": ["zzz"], "prefix": 5}}}, {"decoder_start_token_id": []},
    ],
    ids=str,
)  # fmt: skip
def test_an_odd_checkpoint_keeps_none_of_the_others_from_working(tmp_path, changes):
    models = Path(__file__).parents[2] / "assets" / "models"
    (tmp_path / "good").symlink_to(models / "gloss-fusion")
    pair = {"model_type": "encoder-decoder", "encoder": SMALL, "decoder": SMALL}
    checkpoint(tmp_path / "odd", pair | changes)
    engine = Engine(EngineSettings(models=tmp_path, device="cpu"))
    assert "good" in [card.name for card in engine.encoders()]
    with pytest.raises(CheckpointError):
        engine.load("fuse", "odd" if "odd" in [card.name for card in engine.encoders()] else str(tmp_path / "odd"))


@pytest.mark.parametrize("depth", [700, 100_000])
def test_lists_nested_deep_in_a_configuration_keep_no_engine_from_starting(tmp_path, caplog, depth):
    folder = checkpoint(tmp_path / "deep", SMALL)
    nested = f'{json.dumps(SMALL)[:-1]}, "deep": {"[" * depth}{"]" * depth}}}'
    (folder / "config.json").write_text(nested)
    assert not Engine(EngineSettings(models=tmp_path, device="cpu")).encoders()
    assert "deep is left out" in caplog.text


def checkpoint(folder: Path, config: dict) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return safetensors_file(folder / "model.safetensors", json.dumps({"a": tensor(0, 8)}).encode(), bytes(8)).parent


@pytest.mark.parametrize("path", ["/dev/zero", "/etc/passwd"])
def test_a_tokenizer_opens_no_file_that_its_checkpoint_names(tmp_path, path):
    shutil.copy(Path(__file__).parents[2] / "assets/models/gloss-fusion/spiece.model", tmp_path / "spiece.model")
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"sp_model_kwargs": {"model_file": path}}))
    with pytest.raises(CheckpointError, match=r"sp_model_kwargs .* holds model_file"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "[" * 100_000, '{"model_type": ["bert"]}', '{"model_type": {}}', "\0"]
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError):
        read_config(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"model": {"type": "WordPiece", "vocab": {}}}', '{"version": "1.0"}', "[" * 9_999]
)
def test_a_tokenizer_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(json.dumps(SMALL | {"model_type": "bert"}))
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x0a\xff\xff\xff\xff\x7f", b"<html>"])
def test_a_vocabulary_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(CheckpointError):
        load_tokenizer(tmp_path)


def pegasus(folder: Path, tokenizer: dict | None = None, **settings) -> Path:
    """A tokenizer of a few pieces by its tokenizer.json."""
    pieces = ["<pad>", "</s>", "<unk>", "[MASK]", "\u2581", "a", "b"]
    vocab = [[piece, -float(place)] for place, piece in enumerate(pieces)]
    content = {"model": {"type": "Unigram", "vocab": vocab}} | (tokenizer or {})
    usual = {"tokenizer_class": "PegasusTokenizer", "offset": 0, "mask_token": "[MASK]", "mask_token_sent": None}
    (folder / "config.json").write_text(json.dumps({"model_type": "bigbird_pegasus"}))
    (folder / "tokenizer_config.json").write_text(json.dumps(usual | settings))
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def table_of_characters(*units: int) -> dict:
    packed = struct.pack(f"<{1 + len(units)}I", 4 * len(units), *units) + b"a\0"
    return {"normalizer": {"type": "Precompiled", "precompiled_charsmap": b64encode(packed).decode()}}


@pytest.mark.parametrize(
    "table",
    [
        table_of_characters(*[0x7FFFFD00] * 256),  # leads out of itself
        table_of_characters(),
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "YWI="}},
    ],
    ids=["astray", "empty", "cut short"],
)
def test_a_tokenizer_that_fails_at_any_text_is_refused_when_it_is_loaded(tmp_path, table):
    assert load_tokenizer(pegasus(tmp_path))("ab").input_ids[-1] == 1
    with pytest.raises(CheckpointError, match="table of normalized characters, or .* is damaged"):
        load_tokenizer(pegasus(tmp_path, table))


@pytest.mark.parametrize("piece", ["<unk>", "\u2581the", "\u2581Mr"], ids=["unknown", "common", "rare"])
def test_a_sentencepiece_model_of_pieces_that_are_no_text_is_refused_when_it_is_loaded(tmp_path, piece):
    path, damaged = bert_generation(tmp_path) / "spiece.model", piece.encode()
    content = path.read_bytes()
    assert damaged in content
    path.write_bytes(content.replace(damaged, b"\xff" * len(damaged)))
    with pytest.raises(CheckpointError, match="damaged|cannot be read"):
        BertGenerationTokenizer(path)


@pytest.mark.parametrize(
    "sampling", [{"alpha": 1e308}, {"nbest_size": 10**6}, {"nbest_size": -1, "alpha": "x"}], ids=str
)
def test_a_way_to_sample_that_fails_at_any_text_is_refused_when_it_is_loaded(tmp_path, sampling):
    folder = bert_generation(tmp_path, sp_model_kwargs={"enable_sampling": True, "nbest_size": -1} | sampling)
    with pytest.raises(CheckpointError, match="one of its settings is damaged"):
        BertGenerationTokenizer.from_pretrained(folder)


def test_a_piece_of_a_book_s_length_is_refused_before_the_library_has_it(tmp_path, monkeypatch):
    vocab = [["<unk>", 0.0], ["</s>", 0.0], ["x" * 1000, 0.0]]
    assert load_tokenizer(pegasus(tmp_path, {"model": {"type": "Unigram", "vocab": vocab}}))("x" * 1000).input_ids
    monkeypatch.setattr(unigram, "Unigram", None)
    vocab[-1][0] += "x" * 200_000
    with pytest.raises(CheckpointError, match=r"tokenizer\.json has a token of 201,000 characters, and 1,000 are"):
        load_tokenizer(pegasus(tmp_path, {"model": {"type": "Unigram", "vocab": vocab}}))


def bert_generation(folder: Path, **settings) -> Path:
    shutil.copy(ROOT / "assets/models/gloss-fusion/spiece.model", folder / "spiece.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("made", [bert_generation, pegasus])
def test_more_added_tokens_than_anybody_has_are_refused_before_any_is_added(tmp_path, made, monkeypatch):
    def added(count: int) -> dict:
        return {str(20_000 + place): {"content": f"zz{place}"} for place in range(count)}

    tokenizer = load_tokenizer(made(tmp_path, added_tokens_decoder=added(5000)))
    assert "zz4999" in tokenizer.tokenize("zz49991")
    monkeypatch.setattr(type(tokenizer), "_register", None)
    with pytest.raises(CheckpointError, match=r"adds 5,001 tokens to its vocabulary, and 5,000 are the most"):
        load_tokenizer(made(tmp_path, added_tokens_decoder=added(5001)))


@pytest.mark.parametrize("made", [bert_generation, pegasus])
def test_so_is_one_longer_than_anybody_has(tmp_path, made):
    with pytest.raises(CheckpointError, match="adds a token of 101 characters to its vocabulary, and 100 are the most"):
        load_tokenizer(made(tmp_path, additional_special_tokens=["z" * 101]))


def test_so_are_more_reserved_ones(tmp_path):
    with pytest.raises(CheckpointError, match="adds 1,000,000,000 tokens"):
        load_tokenizer(pegasus(tmp_path, offset=10**9))


class Panic(BaseException):
    pass


Panic.__name__ = "PanicException"


@pytest.mark.parametrize("error", [Panic("at SECRET"), Exception("at SECRET")], ids=["panic", "failure"])
def test_a_tokenizer_that_fails_at_a_text_is_told_of_as_any_broken_checkpoint(tmp_path, monkeypatch, error):
    class Backend:
        def encode_batch_fast(self, texts, add_special_tokens):
            raise error

    tokenizer = load_tokenizer(pegasus(tmp_path))
    monkeypatch.setattr(tokenizer, "_backend", Backend())
    with pytest.raises(CheckpointError) as caught:
        tokenizer("ab")
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_whatever_a_file_makes_a_library_say_is_the_checkpoint_s_fault_but_want_of_memory():
    with pytest.raises(CheckpointError, match="odd cannot be used.*Exception: short"), blaming("odd"):
        raise Exception("short")
    for error in (MemoryError(), torch.OutOfMemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(error)), blaming("odd"):
            raise error


@pytest.fixture
def taught(models, tmp_path) -> Path:
    return Path(shutil.copytree(models / "taught", tmp_path / "taught"))


def with_settings(folder: Path, **settings) -> Path:
    usual = {"decoder_start_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "max_length": 12}
    (folder / "generation_config.json").write_text(json.dumps(usual | settings))
    return folder


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"num_beams": 20_000}, "num_beams must be from 1 to 16; it is 20000"),
        ({"num_beams": 0}, "num_beams must be a whole number"),
        ({"num_beams": "4"}, "num_beams must be a whole number"),
        ({"num_beams": 3, "length_penalty": 1e308}, "length_penalty must be from -5 to 5; it is 1e"),
        ({"do_sample": True, "temperature": 1e-300}, "temperature must be from 0.05 to 5; it is 1e-300"),
        ({"repetition_penalty": 1e300}, "repetition_penalty must be from 0.5 to 5; it is 1e"),
        ({"decoder_start_token_id": 10**6}, r"decoder_start_token_id must be from 0 to \d+; it is 1000000"),
        ({"decoder_start_token_id": -1}, r"decoder_start_token_id must be from 0 to \d+; it is -1"),
        ({"decoder_start_token_id": None, "bos_token_id": 10**6}, r"bos_token_id must be from 0 to \d+; it is 1000000"),
        ({"forced_bos_token_id": 10**6}, r"forced_bos_token_id must be from 0 to \d+; it is 1000000"),
        ({"forced_eos_token_id": [1, 10**6]}, r"forced_eos_token_id must be from 0 to \d+; it is 1000000"),
        ({"eos_token_id": 10**6}, r"eos_token_id must be from 0 to \d+; it is 1000000"),
        ({"pad_token_id": 10**6}, r"pad_token_id must be from 0 to \d+; it is 1000000"),
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_no_run_can_keep_are_refused_when_the_checkpoint_is_loaded(taught, settings, told):
    engine = Engine(EngineSettings(models=taught.parent, device="cpu"))
    with_settings(taught, **settings)
    with pytest.raises(
        CheckpointError, match=rf"^generation_config\.json of taught: {told}.*Correct it, or choose another"
    ):
        engine.load("fuse", "taught")


def rewrite(path: Path, change: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("token_id", [10**9, 400, -5])
def test_a_token_that_the_model_does_not_know_is_refused_when_the_checkpoint_is_loaded(taught, token_id):
    rewrite(
        taught / "tokenizer_config.json",
        lambda settings: settings["added_tokens_decoder"].update({str(token_id): {"content": "rain"}}),
    )
    with pytest.raises(CheckpointError, match=rf"tokenizer of taught gives 'rain' the id {token_id:,}, and its model"):
        Engine(EngineSettings(models=taught.parent, device="cpu")).load("fuse", "taught")


def test_a_reader_too_is_refused_whose_tokenizer_has_tokens_that_it_does_not_know(models, tmp_path):
    shutil.copytree(models / "asked", tmp_path / "asked")
    rewrite(tmp_path / "asked" / "tokenizer.json", lambda content: content["model"]["vocab"].update(rain=400))
    with pytest.raises(CheckpointError, match="tokenizer of asked gives 'rain' the id 400, and its model knows those"):
        Engine(EngineSettings(models=tmp_path, device="cpu")).load("answer", "asked")


@pytest.mark.parametrize(
    "changes", [{"prefix": 7}, {"prefix": "word " * 5000}, {"quote_beyond": "x"}], ids=lambda changes: str(changes)[:25]
)
def test_a_prompt_that_no_text_can_have_is_refused_when_the_checkpoint_is_loaded(taught, changes):
    rewrite(taught / "config.json", lambda config: config["task_specific_params"]["summarize"].update(changes))
    with pytest.raises(CheckpointError, match="taught cannot be used: one of its files holds a value that no such"):
        Engine(EngineSettings(models=taught.parent, device="cpu")).load("fuse", "taught")


def test_the_longest_text_of_a_tokenizer_must_be_a_number(taught):
    rewrite(taught / "tokenizer_config.json", lambda settings: settings.update(model_max_length="abc"))
    with pytest.raises(CheckpointError, match="model_max_length='abc' is not a number of tokens"):
        Engine(EngineSettings(models=taught.parent, device="cpu")).load("fuse", "taught")


def test_the_file_that_a_setting_is_from_is_named(taught):
    config = json.loads((taught / "config.json").read_text())
    config["task_specific_params"]["split"] |= {"num_beams": 17}
    (taught / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        CheckpointError, match=r'config\.json \(task_specific_params\["split"\]\) of taught: num_beams must'
    ):
        Engine(EngineSettings(models=taught.parent, device="cpu")).load("fuse", "taught")
    config["task_specific_params"]["split"]["num_beams"] = 16
    (taught / "config.json").write_text(json.dumps(config | {"length_penalty": 6}))
    with pytest.raises(CheckpointError, match=r"^config\.json of taught: length_penalty must be from -5 to 5; it is 6"):
        Engine(EngineSettings(models=taught.parent, device="cpu")).load("fuse", "taught")


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 3, "eos_token_id": [1] * 2000},  # more ends than there are continuations
        {"do_sample": True, "num_return_sequences": 100_000, "output_scores": True, "return_dict_in_generate": True},
    ],
    ids=lambda settings: ", ".join(settings),
)
def test_settings_that_a_text_has_no_use_for_do_no_harm(taught, settings):
    with_settings(taught, **settings)
    engine = Engine(EngineSettings(models=taught.parent, device="cpu"))
    *_, last = engine.run("fuse", "Rain fell all night.", "taught")
    assert last.finished
    [output] = engine.run_many("fuse", ["Rain fell all night."], "taught")
    assert isinstance(output, str)


def test_a_program_may_ask_for_more_than_a_checkpoint(taught):
    engine = Engine(EngineSettings(models=taught.parent, device="cpu"))
    *_, last = engine.run("fuse", "Rain fell.", "taught", GenerationSettings(num_beams=100, max_new_tokens=3))
    assert last.finished


@pytest.mark.parametrize("names_from_source", [False, True])
def test_a_model_with_more_ids_than_its_tokenizer_writes_the_others_as_nothing(taught, names_from_source):
    """Embeddings are often padded; these are all alike, so that any id may be written."""
    config = json.loads((taught / "config.json").read_text())
    tensors = load_file(taught / "model.safetensors")
    for half in ("encoder", "decoder"):
        config[half]["vocab_size"] += 8
    for task in config["task_specific_params"].values():
        task["names_from_source"] = names_from_source
    vocabulary = len(load_tokenizer(taught))
    for name, value in tensors.items():
        if value.dim() and value.shape[0] == vocabulary:
            tensors[name] = torch.cat((value, 40 * value[5:6].expand(8, *value.shape[1:]))).clone()
    (taught / "config.json").write_text(json.dumps(config))
    save_file(tensors, taught / "model.safetensors")
    engine = Engine(EngineSettings(models=taught.parent, device="cpu", dtype="float32"))
    seen = set()
    for seed in range(5):
        settings = GenerationSettings(do_sample=True, top_k=0, seed=seed)
        *_, last = engine.run("fuse", "Rain fell all night.", "taught", settings)
        seen |= set(last.target_ids)
        told = last.written("fuse", "taught")
        assert engine.written_text(told) == last.text
        assert len(engine.choices(told)) == len(last.target_ids)
        engine.beam_tree(told)
    assert max(seen) >= vocabulary


def zipped(path: Path, pickled: bytes, **records: bytes) -> Path:
    with ZipFile(path, "w") as archive:
        for name, content in {"data.pkl": pickled, "version": b"3", **records}.items():
            archive.writestr(f"archive/{name}", content)
    return path


def in_the_old_format(path: Path, pickled: bytes) -> Path:
    before = (pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {}))
    path.write_bytes(b"".join((*before, pickled, pickle.dumps([], protocol=2))))
    return path


class Zeros:
    def __init__(self, *asked_of: object):
        self.asked_of = asked_of

    def __reduce__(self):
        return self.asked_of


def nested(depth: int) -> bytes:
    """A dictionary by a key that is two of a tuple, which is two of a tuple, and so on."""
    doubled = b"".join(b"q%ch%c\x86" % (at, at) for at in range(depth))
    return b"\x80\x02})" + doubled + b"K\x01s."


BOMBS = {
    "bytes": pickle.dumps({"a": Zeros(bytearray, (3_000_000_000,))}, protocol=2),
    "a tensor": pickle.dumps({"a": Zeros(torch.Tensor, (750_000_000,))}, protocol=2),
    "a key": nested(60),
    "many objects": b"\x80\x02" + b"}" * 50_000_000,
}


def with_two_directories(path: Path, pickled: bytes) -> Path:
    """Python finds the harmless one just before the end, torch the other, where the end says that it begins."""
    evil_files, evil_list, _ = parts_of_zip(zipped(path, pickled).read_bytes())
    files, its_list, end = parts_of_zip(zipped(path, pickle.dumps({}, protocol=2)).read_bytes())
    moved, place = bytearray(its_list), 0
    while place < len(moved):  # by what the end is off, which zipfile adds
        [begin] = struct.unpack_from("<L", moved, place + 42)
        struct.pack_into("<L", moved, place + 42, begin + len(evil_files) - len(files))
        place += 46 + sum(struct.unpack_from("<HHH", moved, place + 28))
    said = end[:12] + struct.pack("<LL", len(its_list), len(evil_files)) + end[20:]
    path.write_bytes(evil_files + evil_list + files + moved + said)
    assert ZipFile(path).read("archive/data.pkl") != pickled
    return path


def parts_of_zip(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Files, the list of them, the end."""
    end = content.rfind(b"PK\5\6")
    size, begin = struct.unpack_from("<LL", content, end + 12)
    return content[:begin], content[begin : begin + size], content[end:]


def test_what_is_looked_through_is_what_torch_reads(tmp_path):
    harmless, evil = pickle.dumps({}, protocol=2), BOMBS["bytes"]
    for records in ({"DATA.PKL": evil, "data.pkl": harmless}, {"data.pkl": harmless, "DATA.PKL": evil}):
        path = tmp_path / "pytorch_model.bin"
        with ZipFile(path, "w") as archive:
            for name, content in {**records, "version": b"3"}.items():
                archive.writestr(f"archive/{name}", content)
        with pytest.raises(DamagedError, match="Nothing of it was run"):
            read_tensors(path)


def test_a_zip_may_say_of_nothing_that_it_is_larger_or_elsewhere(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.ones(2)}, path)
    assert set(read_tensors(path)) == {"a"}
    for wrong in (path.read_bytes() + b"PK", path.read_bytes()[:-2] + b"\1\0.", path.read_bytes()[:60]):
        path.write_bytes(wrong)
        with pytest.raises(DamagedError):
            read_tensors(path)


def test_a_zip_of_gigabytes_has_a_longer_end(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = zipped(tmp_path / "pytorch_model.bin", pickle.dumps({}, protocol=2))
    content = path.read_bytes()
    assert content[-42:-38] == b"PK\6\7"
    assert read_tensors(path) == {}
    for place in (-50, -34):  # where its list begins, where that is said
        wrong = bytearray(content)
        wrong[place] ^= 1
        path.write_bytes(wrong)
        with pytest.raises(DamagedError, match="where it is said to be"):
            read_tensors(path)


def test_a_head_of_tens_of_megabytes_and_a_file_of_brackets_are_refused_unread(tmp_path):
    weights, settings = tmp_path / "model.safetensors", tmp_path / "tokenizer_config.json"
    weights.write_bytes((30_000_000).to_bytes(8, "little") + b" " * 30_000_000)
    settings.write_text('{"a": [' + "[]," * 3_000_000 + "0]}")
    with pytest.raises(DamagedError, match="head is larger"):
        read_tensors(weights)
    with pytest.raises(CheckpointError, match="more parts"):
        read_json(settings)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("written", [zipped, in_the_old_format, with_two_directories])
def test_a_pickle_that_asks_for_more_than_weights_gets_neither_memory_nor_time(tmp_path, bomb, written):
    path = written(tmp_path / "pytorch_model.bin", BOMBS[bomb])
    taken, seconds = cost_of_reading(path)
    assert taken < 400_000  # kB
    assert seconds < 30


def cost_of_reading(path: Path) -> tuple[int, float]:
    """The peak of memory beyond that at the start, and the seconds, of a process that is refused."""
    script = (
        "import resource, sys, time\nfrom pathlib import Path\nfrom seq2seq.checkpoints.errors import CheckpointError\n"
        "from seq2seq.checkpoints.files import read_tensors\n"
        "before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()\n"
        "try:\n    read_tensors(Path(sys.argv[1]))\nexcept CheckpointError:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.monotonic() - began)\n"
    )
    run = [sys.executable, "-c", script, str(path)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60).stdout
    taken, seconds = told.split()
    return int(taken), float(seconds)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    "shown",
    [
        lambda stored: stored[:1].expand(1000, 4),
        lambda stored: stored.as_strided((8, 4), (1, 1)),
    ],
    ids=["a row as many", "overlapping rows"],
)
def test_a_tensor_that_shows_more_than_is_stored_is_refused(tmp_path, old, shown):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": shown(torch.ones(3, 4))}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(CheckpointError, match="shows more than is stored"):
        read_tensors(path)


def test_a_storage_that_would_grow_to_what_a_tensor_shows_is_refused(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.ones(60_001)}, path, _use_new_zipfile_serialization=False)
    shape, giant = (b"M" + struct.pack("<H", 60_001) + b"\x85", b"J" + struct.pack("<i", 750_000_000) + b"\x85")
    path.write_bytes(path.read_bytes().replace(shape, giant))
    with pytest.raises(CheckpointError, match="wrong byte size"):
        read_tensors(path)


def test_the_memory_of_a_model_is_counted_however_small_its_files(models, tmp_path):
    """All its tensors may share what is stored, and some may be missing."""
    folder = tmp_path / "shared"
    shutil.copytree(models / "plain", folder)
    tensors = {name: each for file in folder.glob("*.safetensors") for name, each in read_tensors(file).items()}
    stored = torch.zeros(max(each.numel() for each in tensors.values()))
    for file in folder.glob("model*"):
        file.unlink()
    shared = {name: stored[: each.numel()].view(each.shape) for name, each in tensors.items()}
    torch.save(shared, folder / "pytorch_model.bin")
    engine = Engine(EngineSettings(models=tmp_path, device="cpu", dtype="float32"))
    model = engine.load("fuse", "shared").model
    assert engine.loaded == {"shared": 4 * model.num_parameters()}
    assert engine.loaded["shared"] > 2 * (folder / "pytorch_model.bin").stat().st_size
    strict = Engine(EngineSettings(models=tmp_path, device="cpu", dtype="float32", memory=1e-5))
    with pytest.raises(CheckpointError, match="GLOSS_MEMORY"):
        strict.load("fuse", "shared")
