import subprocess
import sys

import torch

from quadrat.engine.adamw import AdamW

WITHOUT_COMPILER = """
import sys
import torch
from quadrat.engine.optimiser import make_optimiser, ParameterGroup
from quadrat.engine.randomness import deterministic_algorithms

weight = torch.nn.Parameter(torch.ones(3))
optimiser = make_optimiser([ParameterGroup("", [weight], 0.1, 0.0)], torch.device("cpu"))
with deterministic_algorithms(True):
    assert torch.are_deterministic_algorithms_enabled()
    weight.sum().backward()
    optimiser.step()
assert not torch.are_deterministic_algorithms_enabled()
optimiser.zero_grad()
optimiser.load_state_dict(optimiser.state_dict())
assert float(weight[0]) < 1
assert "torch._dynamo" not in sys.modules and "torch._inductor" not in sys.modules
"""


def steps(kind, count, state=None):
    torch.manual_seed(3)
    module = torch.nn.Linear(5, 2)
    groups = [{"params": [module.weight], "weight_decay": 0.1}, {"params": [module.bias]}]
    optimiser = kind(groups, lr=1e-2, fused=True)
    if state is not None:
        module.load_state_dict(state[0])
        optimiser.load_state_dict(state[1])
    for number in range(count):
        x = torch.linspace(-1, number + 1, 20).view(4, 5)
        optimiser.zero_grad()
        module(x).square().sum().backward()
        optimiser.step()
    return module.state_dict(), optimiser.state_dict()


def test_it_steps_as_pytorch_does_and_goes_on_from_its_state():
    expected, their_state = steps(torch.optim.AdamW, 7)
    found, own_state = steps(AdamW, 7)
    for (weights, state), other in (
        (steps(AdamW, 3, (expected, their_state)), steps(torch.optim.AdamW, 3, (found, own_state))),
        ((found, own_state), (expected, their_state)),
    ):
        torch.testing.assert_close(weights, other[0], rtol=0, atol=0)
        assert state["param_groups"] == other[1]["param_groups"]
        torch.testing.assert_close(state["state"], other[1]["state"], rtol=0, atol=0)


def test_a_step_follows_no_gradient_and_may_ask_for_the_loss_again():
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = AdamW([weight], lr=0.1)

    def loss():
        optimiser.zero_grad()
        total = weight.square().sum()
        total.backward()
        return float(total.detach())

    assert optimiser.step(loss) == 2.0
    assert weight.is_leaf and weight.grad is not None and float(weight.detach()[0]) < 1


def test_pytorchs_compiler_is_not_imported():
    subprocess.run([sys.executable, "-c", WITHOUT_COMPILER], check=True)
