"""Names both ways, weights from and to every kind of file, and what is said about broken ones."""

import json
import os
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict

import pytest
import safetensors.torch
import torch
from torch import nn

from seq2seq.checkpoints import names
from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.files import read_tensors
from seq2seq.checkpoints.hub import read_json
from seq2seq.checkpoints.load import load_weights
from seq2seq.checkpoints.names import NameTable
from seq2seq.checkpoints.save import save_weights

TABLE = NameTable(
    rows={
        "words.weight": "embeddings.weight",
        "block.{i}.LayerNorm.weight": "layers.{i}.weight",
        "head.decoder.weight": "head.weight",
        "head.decoder.bias": "head.bias",
        "head.bias": "head.bias",
    },
    also_read={"position_ids": None},
    optional=frozenset({"pooler.weight"}),
    copies=frozenset({"head.weight"}),
)
TIES = {"head.weight": "embeddings.weight"}


class Model(nn.Module):
    """The least that has layers, a tied weight and a bias with two foreign names."""

    def __init__(self, tied=True, width=4, device="meta"):
        super().__init__()
        with torch.device(device):
            self.embeddings = nn.Embedding(6, width)
            self.layers = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
            self.head = nn.Linear(width, 6)
        if tied:
            self.head.weight = self.embeddings.weight


def tensors_on_file(**changes):
    """What a checkpoint of Model holds; a change to None leaves a tensor out."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "words.weight": (6, 4),
        "block.0.LayerNorm.weight": (4,),
        "block.1.LayerNorm.weight": (4,),
        "head.decoder.bias": (6,),
    }
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    changed = {**tensors, **{name.replace("__", "."): tensor for name, tensor in changes.items()}}
    return {name: tensor for name, tensor in changed.items() if tensor is not None}


def write_safetensors(folder, tensors):
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def write_bin(folder, tensors):
    torch.save(tensors, folder / "pytorch_model.bin")


def write_old_bin(folder, tensors):
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def write_shards(folder, tensors, stem, suffix, write):
    shards = {name: f"{stem}-{i + 1:05d}-of-{len(tensors):05d}{suffix}" for i, name in enumerate(tensors)}
    for name, filename in shards.items():
        write({name: tensors[name]}, folder / filename)
    index = {"metadata": {"total_size": 1}, "weight_map": shards}
    (folder / f"{stem}{suffix}.index.json").write_text(json.dumps(index))


def write_safetensors_shards(folder, tensors):
    write_shards(folder, tensors, "model", ".safetensors", safetensors.torch.save_file)


def write_bin_shards(folder, tensors):
    write_shards(folder, tensors, "pytorch_model", ".bin", torch.save)


WRITERS = [write_safetensors, write_safetensors_shards, write_bin, write_old_bin, write_bin_shards]


def loaded(folder, model=None, **options):
    model = Model() if model is None else model
    report = load_weights(model, folder, TABLE, tied=TIES, **options)
    model.head.weight = model.embeddings.weight
    return model, report


# Names


@pytest.mark.parametrize(
    ("table", "ours", "foreign"),
    [
        (
            names.BERT_STACK,
            "layers.11.cross_attention.key.bias",
            "encoder.layer.11.crossattention.self.key.bias",
        ),
        (names.BERT_STACK, "pooler.weight", "pooler.dense.weight"),
        (
            names.BERT_GENERATION_DECODER,
            "stack.layers.0.self_attention.distance.weight",
            "bert.encoder.layer.0.attention.self.distance_embedding.weight",
        ),
        (names.BERT_LM_HEAD, "lm_transform.norm.bias", "cls.predictions.transform.LayerNorm.bias"),
        (
            names.encoder_decoder(names.BERT_STACK, names.BERT_LM_HEAD),
            "encoder.layers.3.feed_forward.up.weight",
            "encoder.encoder.layer.3.intermediate.dense.weight",
        ),
        (
            names.encoder_decoder(names.BERT_STACK, names.BERT_LM_HEAD),
            "decoder.stack.layers.3.feed_forward_norm.weight",
            "decoder.bert.encoder.layer.3.output.LayerNorm.weight",
        ),
    ],
)
def test_names_go_both_ways(table, ours, foreign):
    assert table.to_foreign(ours) == (foreign,)
    assert table.to_ours(foreign) == ours


@pytest.mark.parametrize("table", [names.BERT_STACK, names.BERT_GENERATION_DECODER, names.BERT_LM_HEAD])
def test_every_row_goes_both_ways(table):
    for foreign, ours in table.rows.items():
        assert table.to_ours(foreign.replace("{i}", "7")) == ours.replace("{i}", "7")
        assert foreign.replace("{i}", "7") in table.to_foreign(ours.replace("{i}", "7"))


def test_one_bias_is_written_under_both_of_its_names():
    assert names.BERT_GENERATION_DECODER.to_foreign("lm_head.bias") == (
        "lm_head.decoder.bias",
        "lm_head.bias",
    )


@pytest.mark.parametrize(
    ("table", "foreign", "ours"),
    [
        (names.BERT_STACK, "embeddings.LayerNorm.gamma", "embeddings.norm.weight"),
        (
            names.BERT_STACK,
            "bert.encoder.layer.2.output.LayerNorm.beta",
            "layers.2.feed_forward_norm.bias",
        ),
        (names.BERT_STACK, "embeddings.position_ids", None),
        (names.BERT_STACK, "cls.predictions.decoder.weight", None),
        (names.BERT_STACK, "cls.seq_relationship.bias", None),
        (names.BERT_STACK, "lm_head.bias", None),
        (names.BERT_LM_HEAD, "bert.embeddings.position_ids", None),
        (names.BERT_LM_HEAD, "embeddings.word_embeddings.weight", "stack.embeddings.word.weight"),
        (names.BERT_LM_HEAD, "cls.seq_relationship.weight", None),
        (names.BERT_GENERATION_DECODER, "cls.predictions.bias", None),
        (
            names.encoder_decoder(names.BERT_STACK, names.BERT_GENERATION_DECODER),
            "decoder.bert.embeddings.position_ids",
            None,
        ),
    ],
)
def test_older_and_other_names_are_read(table, foreign, ours):
    assert table.to_ours(foreign) == ours


def test_unknown_names_are_errors():
    with pytest.raises(KeyError):
        names.BERT_STACK.to_ours("encoder.layer.0.adapter.weight")
    with pytest.raises(ValueError, match=r"layers\.0\.adapter\.weight has no name"):
        names.BERT_STACK.to_foreign("layers.0.adapter.weight")


# Loading


@pytest.mark.parametrize("write", WRITERS)
def test_every_kind_of_file_gives_the_same_weights(tmp_path, write):
    expected = tensors_on_file()
    write(tmp_path, expected)
    model, report = loaded(tmp_path)
    assert torch.equal(model.embeddings.weight, expected["words.weight"])
    assert torch.equal(model.layers[1].weight, expected["block.1.LayerNorm.weight"])
    assert torch.equal(model.head.bias, expected["head.decoder.bias"])
    assert (report.new, report.dropped) == ((), ())
    model.head(model.embeddings(torch.tensor([1]))).sum().backward()
    assert model.embeddings.weight.grad is not None


@pytest.mark.parametrize("write", WRITERS)
def test_conversion_to_another_dtype(tmp_path, write):
    expected = tensors_on_file()
    write(tmp_path, expected)
    model, _ = loaded(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert torch.equal(model.layers[0].weight, expected["block.0.LayerNorm.weight"].bfloat16())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_read_as_torch_reads_it(tmp_path, zipped):
    """Of all that weights can be, in their own storage or together in one."""
    row = torch.arange(20.0)
    weight = nn.Parameter(torch.randn(4, 6))
    tensors = {"tied": weight, "too": weight, "all": row, "part": row[3:9], "across": torch.randn(4, 6).T}
    tensors |= {"none": torch.zeros(0, 3), "one": torch.tensor(3)}
    kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool, torch.complex64)
    tensors |= {str(dtype): torch.tensor([1, 0, 1]).to(dtype) for dtype in kinds}
    state = OrderedDict(tensors)
    state._metadata = {"": {"version": 1}}
    path = tmp_path / "pytorch_model.bin"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    read, expected = read_tensors(path), torch.load(path, weights_only=True)
    assert read.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(read[name], tensor)
        assert (read[name].dtype, read[name].stride()) == (tensor.dtype, tensor.stride())
    assert read["tied"].data_ptr() == read["too"].data_ptr()
    assert read["part"].data_ptr() == read["all"].data_ptr() + 3 * 4


def test_safetensors_are_preferred(tmp_path):
    write_bin(tmp_path, tensors_on_file(words__weight=torch.zeros(6, 4)))
    write_safetensors(tmp_path, tensors_on_file())
    assert loaded(tmp_path)[0].embeddings.weight.abs().sum() > 0


def test_frozen_parameters_stay_frozen(tmp_path):
    write_safetensors(tmp_path, tensors_on_file())
    model = Model()
    model.layers[0].weight.requires_grad_(False)
    loaded(tmp_path, model)
    assert not model.layers[0].weight.requires_grad
    assert model.layers[1].weight.requires_grad


def test_training_does_not_write_into_the_file(tmp_path):
    write_safetensors(tmp_path, tensors_on_file())
    before = (tmp_path / "model.safetensors").read_bytes()
    model, _ = loaded(tmp_path)
    with torch.no_grad():
        model.embeddings.weight.zero_()
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_what_is_dropped_and_what_is_new_is_reported(tmp_path):
    tensors = tensors_on_file(position_ids=torch.arange(3), head__decoder__bias=None)
    write_safetensors(tmp_path, tensors)
    model = Model(device="cpu")
    bias = model.head.bias.detach().clone()
    _, report = loaded(tmp_path, model, may_be_missing=lambda name: name.startswith("head."))
    assert (report.new, report.dropped) == (("head.bias",), ("position_ids",))
    assert torch.equal(model.head.bias, bias)


def test_an_optional_tensor_is_dropped_only_by_a_model_without_it(tmp_path):
    table = NameTable({**TABLE.rows, "pooler.weight": "pooler.weight"}, TABLE.also_read, TABLE.optional)
    write_safetensors(tmp_path, tensors_on_file(pooler__weight=torch.ones(2, 4)))
    assert load_weights(Model(), tmp_path, table, tied=TIES).dropped == ("pooler.weight",)
    model = Model()
    model.pooler = nn.Linear(4, 2, bias=False, device="meta")
    assert load_weights(model, tmp_path, table, tied=TIES).dropped == ()
    assert torch.equal(model.pooler.weight, torch.ones(2, 4))


def test_the_more_authoritative_name_wins(tmp_path):
    write_safetensors(tmp_path, tensors_on_file(head__bias=torch.zeros(6)))
    assert loaded(tmp_path)[0].head.bias.abs().sum() > 0


def test_a_tie_is_loaded_from_either_name_and_the_first_counts(tmp_path):
    words = torch.ones(6, 4)
    write_safetensors(tmp_path, tensors_on_file(words__weight=None, head__decoder__weight=words))
    assert torch.equal(loaded(tmp_path)[0].embeddings.weight, words)
    write_safetensors(tmp_path, tensors_on_file(words__weight=words * 2, head__decoder__weight=words))
    assert torch.equal(loaded(tmp_path)[0].embeddings.weight, words * 2)


def test_tensors_that_share_memory_on_file_do_not_in_an_untied_model(tmp_path):
    words = nn.Parameter(torch.ones(6, 4))
    write_bin(tmp_path, tensors_on_file(words__weight=words, head__decoder__weight=words))
    model = Model(tied=False)
    load_weights(model, tmp_path, TABLE)
    with torch.no_grad():
        model.embeddings.weight.zero_()
    assert torch.equal(model.head.weight, torch.ones(6, 4))


def stack_tensors(prefix):
    return {
        f"{prefix}embeddings.word_embeddings.weight": torch.ones(3, 2),
        f"{prefix}embeddings.LayerNorm.gamma": torch.ones(2),
        f"{prefix}embeddings.LayerNorm.beta": torch.ones(2),
    }


class TinyStack(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = nn.Module()
        self.embeddings.word = nn.Embedding(3, 2)
        self.embeddings.norm = nn.LayerNorm(2)


def test_a_bare_stack_starts_from_a_model_with_a_head(tmp_path):
    write_bin(tmp_path, stack_tensors("bert.") | {"cls.predictions.bias": torch.ones(3)})
    stack = TinyStack()
    report = load_weights(stack, tmp_path, names.BERT_STACK)
    assert report.dropped == ("cls.predictions.bias",)
    assert torch.equal(stack.embeddings.word.weight, torch.ones(3, 2))


def test_a_model_with_a_head_starts_from_a_bare_stack_only_where_that_is_said(tmp_path):
    write_bin(tmp_path, stack_tensors(""))
    model = nn.Module()
    model.stack, model.lm_head = TinyStack(), nn.Linear(2, 3)
    with pytest.raises(CheckpointError, match=r"lm_head\.decoder\.weight.*missing"):
        load_weights(model, tmp_path, names.BERT_GENERATION_DECODER)
    report = load_weights(model, tmp_path, names.BERT_GENERATION_DECODER, may_be_missing=lambda name: "lm_head" in name)
    assert report.new == ("lm_head.weight", "lm_head.bias")
    assert torch.equal(model.stack.embeddings.word.weight, torch.ones(3, 2))


# Files that do not fit, or are broken


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"words__weight": None},
            r"words\.weight, of shape \[6, 4\], is missing from model\.safetensors",
        ),
        (
            {"extra__weight": torch.ones(1)},
            r"model\.safetensors: extra\.weight is unexpected",
        ),
        (
            {"block__2__LayerNorm__weight": torch.ones(4)},
            r"block\.2\.LayerNorm\.weight is unexpected: the model has no layers\.2\.weight",
        ),
        (
            {"head__decoder__bias": torch.ones(7)},
            r"head\.decoder\.bias has shape \[7\], the model needs \[6\]",
        ),
        (
            {"head__decoder__bias": torch.ones(6, dtype=torch.int64)},
            r"head\.decoder\.bias holds torch\.int64, the model needs torch\.float32",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, changes, message):
    write_safetensors(tmp_path, tensors_on_file(**changes))
    with pytest.raises(CheckpointError, match=message) as caught:
        loaded(tmp_path)
    assert "config.json" in str(caught.value)


def test_problems_are_named_together_up_to_ten(tmp_path):
    extra = {f"extra{i}": torch.ones(1) for i in range(20)}
    write_safetensors(tmp_path, tensors_on_file(words__weight=None, **extra))
    with pytest.raises(CheckpointError, match=r"words\.weight.*missing[\s\S]*extra[\s\S]*and 11 more"):
        loaded(tmp_path)


def test_a_failed_load_leaves_the_module_as_it_was(tmp_path):
    write_safetensors(tmp_path, tensors_on_file(head__decoder__bias=None))
    model = Model(device="cpu")
    before = model.embeddings.weight.detach().clone()
    with pytest.raises(CheckpointError):
        loaded(tmp_path, model)
    assert torch.equal(model.embeddings.weight, before)


def damaged_safetensors():
    whole = safetensors.torch.save(tensors_on_file())
    header = json.dumps({"words.weight": {"dtype": "F32", "shape": [6], "data_offsets": [0, 4000]}}).encode()
    return {
        "empty": b"",
        "cut in the header": whole[:40],
        "cut in the weights": whole[:-10],
        "header too large": struct.pack("<Q", 1 << 60) + whole[8:],
        "no JSON": whole[:8] + b"nonsense" + whole[16:],
        "offsets beyond the end": struct.pack("<Q", len(header)) + header + bytes(24),
        "a web page": b"<html>404 not found</html>",
    }


@pytest.mark.parametrize("kind", damaged_safetensors())
def test_damaged_safetensors(tmp_path, kind):
    (tmp_path / "model.safetensors").write_bytes(damaged_safetensors()[kind])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is cut short.*Download it again"):
        loaded(tmp_path)


@pytest.mark.parametrize("write", [write_bin, write_old_bin])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.95])
def test_a_bin_that_is_cut_short(tmp_path, write, kept):
    write(tmp_path, tensors_on_file(head__decoder__weight=torch.ones(100, 100)))
    path = tmp_path / "pytorch_model.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is cut short.*Download it again"):
        loaded(tmp_path)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors_on_file() | {"x": Hostile()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin holds code.*mkdir.*safetensors"):
        loaded(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_plain_pickle_is_not_run(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"x": Hostile()}, protocol=protocol))
    with pytest.raises(CheckpointError, match="Nothing of it was run"):
        loaded(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "dictionary of tensors, but holds a list"),
        ({"epoch": 3}, "also holds epoch"),
        ({"state_dict": {"words.weight": torch.ones(6, 4)}}, "also holds state_dict"),
        ({"words.weight": torch.ones(6, 4).to_sparse()}, r"asks for torch\._utils\._rebuild_sparse_tensor"),
        ({7: torch.ones(1)}, "also holds 7"),
    ],
)
def test_a_bin_that_holds_other_things(tmp_path, content, message):
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=message):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", r"index\.json is not valid JSON"),
        ("[]", r"index\.json should hold one JSON object"),
        ("{}", "should say under 'weight_map'"),
        ('{"weight_map": {"words.weight": 1}}', "should say under 'weight_map'"),
        ('{"weight_map": {"words.weight": "gone.safetensors"}}', r"'gone\.safetensors', and there is none"),
        ('{"weight_map": {"words.weight": "../model.safetensors"}}', "may not lead out of its folder"),
        ('{"weight_map": {"words.weight": "/etc/passwd"}}', "may not lead out of its folder"),
        ('{"weight_map": {"words.weight": ".."}}', "may not lead out of its folder"),
    ],
)
def test_a_wrong_index(tmp_path, index, message):
    folder = tmp_path / "inner"
    folder.mkdir()
    write_safetensors(tmp_path, tensors_on_file())
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=message):
        loaded(folder)


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights.*model\.safetensors or pytorch_model\.bin"):
        loaded(tmp_path)


def test_a_git_lfs_pointer_is_recognised(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    (tmp_path / "model.safetensors").write_text(pointer)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is a git-lfs pointer.*git lfs pull"):
        loaded(tmp_path)


# Saving


def saved_model():
    torch.manual_seed(1)
    model = Model(device="cpu")
    nn.init.normal_(model.layers[0].weight)
    return model


@pytest.mark.parametrize("max_shard_size", [10_000, 100, 20])
def test_what_is_saved_loads_again(tmp_path, max_shard_size):
    model = saved_model()
    save_weights(model, tmp_path, TABLE, max_shard_size=max_shard_size)
    again, report = loaded(tmp_path)
    assert (report.new, report.dropped) == ((), ())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_a_small_model_is_one_file_and_the_tie_is_stored_once(tmp_path):
    save_weights(saved_model(), tmp_path, TABLE)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    with safetensors.safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert set(file.keys()) == set(tensors_on_file()) | {"head.bias"}


def test_an_untied_weight_is_stored(tmp_path):
    save_weights(Model(tied=False, device="cpu"), tmp_path, TABLE)
    assert "head.decoder.weight" in safetensors.torch.load_file(tmp_path / "model.safetensors")


def test_shards_keep_to_the_limit_except_for_a_larger_tensor(tmp_path):
    save_weights(saved_model(), tmp_path, TABLE, max_shard_size=40)
    index = read_json(tmp_path / "model.safetensors.index.json")
    shards = sorted(path.name for path in tmp_path.glob("model-*.safetensors"))
    assert shards == sorted(set(index["weight_map"].values()))
    assert shards == [f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    sizes = [
        {name: tensor.nbytes for name, tensor in safetensors.torch.load_file(tmp_path / shard).items()}
        for shard in shards
    ]
    assert {"words.weight": 96} in sizes
    assert all(sum(shard.values()) <= 40 for shard in sizes if shard != {"words.weight": 96})
    assert index["metadata"]["total_size"] == sum(sum(shard.values()) for shard in sizes)


def test_a_save_replaces_the_files_of_an_earlier_one(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for limit in (40, 10_000, 100):
        save_weights(saved_model(), tmp_path, TABLE, max_shard_size=limit)
        found = {path.name for path in tmp_path.iterdir()}
        if limit == 10_000:
            assert found == {"config.json", "model.safetensors"}
        else:
            shards = read_json(tmp_path / "model.safetensors.index.json")["weight_map"].values()
            assert found == {"config.json", "model.safetensors.index.json", *shards}


def test_a_save_over_the_file_that_is_mapped(tmp_path):
    save_weights(saved_model(), tmp_path, TABLE)
    model, _ = loaded(tmp_path)
    save_weights(model, tmp_path, TABLE)
    assert torch.equal(loaded(tmp_path)[0].head.bias, saved_model().head.bias)


def test_a_save_that_fails_leaves_the_folder_as_it_was(tmp_path):
    save_weights(saved_model(), tmp_path, TABLE)
    before = (tmp_path / "model.safetensors").read_bytes()
    half_built = saved_model().state_dict() | {"layers.1.weight": torch.empty(4, device="meta")}
    with pytest.raises(RuntimeError):
        save_weights(half_built, tmp_path, TABLE, max_shard_size=40)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_saving_in_another_dtype_leaves_the_model_alone(tmp_path):
    model = saved_model()
    save_weights(model, tmp_path, TABLE, dtype=torch.bfloat16)
    assert model.embeddings.weight.dtype == torch.float32
    assert loaded(tmp_path)[0].embeddings.weight.dtype == torch.bfloat16


# Memory

MEASURE = """
import re, sys, torch
from torch import nn
from seq2seq.checkpoints.load import load_weights
from seq2seq.checkpoints.names import NameTable

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) * 1024

with torch.device("meta"):
    model = nn.Module()
    model.layers = nn.ModuleList(nn.Linear(1024, 1024, bias=False) for _ in range(24))
dtype = getattr(torch, sys.argv[2]) if sys.argv[2] else None
torch.ones(1024, 1024).to(torch.bfloat16).sum()
before = peak()
load_weights(model, sys.argv[1], NameTable({"block.{i}.weight": "layers.{i}.weight"}), dtype=dtype)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.sum()  # reads every page
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak from /proc")
@pytest.mark.parametrize("dtype", ["", "bfloat16"])
@pytest.mark.parametrize("write", [write_safetensors, write_bin, write_old_bin])
def test_loading_takes_at_most_1_3_times_the_weights(tmp_path, write, dtype):
    tensors = {f"block.{i}.weight": torch.ones(1024, 1024) for i in range(24)}
    num_bytes = sum(tensor.nbytes for tensor in tensors.values())
    write(tmp_path, tensors)
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path), dtype],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(measured.stdout) <= 1.3 * num_bytes + 5e6
