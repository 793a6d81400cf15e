from __future__ import annotations

import pytest
import torch

from quadrat.engine import Backend, MovingAverage
from quadrat.errors import UsageError


def test_one_process_may_change_precision():
    for precision in ("fp32", "bf16", "fp32"):
        backend = Backend.create("cpu", precision)
        with backend.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


def test_auto_takes_bf16_where_the_processor_has_it():
    abilities = torch.cpu.get_capabilities()
    has = abilities.get("avx512_bf16") or abilities.get("amx_bf16")
    assert Backend.create("cpu", "auto").precision == ("bf16" if has else "fp32")


def test_what_cannot_be_had_is_said():
    with pytest.raises(UsageError, match="needs a GPU"):
        Backend.create("cpu", "fp16")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="finds: cpu"):
            Backend.create("cuda")


def test_moving_average_is_warmed_up_and_leaves_counters_alone():
    module = torch.nn.BatchNorm1d(2)
    average = MovingAverage(module, 0.999)
    with torch.no_grad():
        module.weight.fill_(3.0)
    module.num_batches_tracked.fill_(7)
    average.update(module)
    decay = 2 / 11
    expected = 1.0 * decay + 3.0 * (1 - decay)
    torch.testing.assert_close(average.weights["weight"], torch.full((2,), expected))
    assert int(average.weights["num_batches_tracked"]) == 7
    with average.applied(module):
        assert float(module.weight[0].detach()) == pytest.approx(expected)
    assert float(module.weight[0].detach()) == 3.0
