"""The same on a GPU as on the CPU, where there is one."""

import pytest
import torch

from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.block_table import BlockSparsity
from seq2seq.engine import Engine, EngineSettings
from seq2seq.models import BigBirdConfig, BigBirdModel

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]
TEXT = "Anna Lind moved to Oslo. She opened a small bakery."


@pytest.mark.parametrize("task", ["fuse", "split", "summarize"])
def test_a_gpu_writes_what_the_cpu_writes(models, engine, task):
    on_gpu = Engine(EngineSettings(models=models, device="cuda", dtype="float32"))
    *_, ours = on_gpu.run(task, TEXT, "taught")
    *_, theirs = engine.run(task, TEXT, "taught")
    assert ours.target_ids == theirs.target_ids


@pytest.mark.parametrize("random_blocks", ["reference", "original"])
@pytest.mark.parametrize("length", [40, 199, 512])
def test_sparse_attention_and_its_gradients_are_those_of_the_cpu(random_blocks, length):
    torch.manual_seed(0)
    config = BigBirdConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=512, block_size=8, num_random_blocks=2, random_blocks=random_blocks,
    )  # fmt: skip
    model = BigBirdModel(config).eval()
    words = torch.randint(3, 50, (2, length))
    mask = (torch.arange(length) < torch.tensor([[length], [length // 2]])).long()
    results = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        output = model(words.to(device), attention_mask=mask.to(device), output_attentions=True)
        output.last_hidden_state.square().sum().backward()
        gradients = [parameter.grad.cpu() for parameter in model.parameters() if parameter.grad is not None]
        with torch.no_grad():
            fused = model(words.to(device), attention_mask=mask.to(device)).last_hidden_state
        results.append([fused.cpu(), output.last_hidden_state.detach().cpu(), output.attentions[1].cpu(), *gradients])
    torch.testing.assert_close(*results, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_sparse_attention_in_half_precision_is_near():
    torch.manual_seed(0)
    shape = 1, 4, 4000, 64
    query, key, value = torch.randn(3, *shape)
    table = BlockSparsity(64, 3).table(shape[2], shape[1], 4096, layer=0)
    expected = BlockSparse(table, 64, shape[2], torch.float32, torch.device("cpu")).attend(query, key, value)
    pattern = BlockSparse(table, 64, shape[2], torch.bfloat16, torch.device("cuda"))
    found = pattern.attend(*(x.to("cuda", torch.bfloat16) for x in (query, key, value)))
    assert torch.cosine_similarity(found.cpu().float().flatten(), expected.flatten(), dim=0) > 0.999
