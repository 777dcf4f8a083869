"""The same on a GPU as on the CPU, where there is one."""

import pytest
import torch

from seq2seq.engine import Engine, EngineSettings

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
