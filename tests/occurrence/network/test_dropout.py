import pytest
import torch

from quadrat.occurrence.network.dropout import Dropout


@pytest.mark.parametrize("share", [0.09375, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_share_and_mean(share, dtype):
    torch.manual_seed(0)
    dropped = Dropout(share).train()(torch.ones(4001, 251, dtype=dtype))
    assert dropped.dtype == dtype
    zeros = dropped == 0
    assert zeros.float().mean() == pytest.approx(share, abs=2e-3)
    assert dropped.float().mean() == pytest.approx(1, abs=5e-3)
    # all bytes of a 64-bit number are alike, and neighbours are independent
    assert zeros.flatten()[:1_000_000].view(-1, 8).float().mean(0).std() < 2e-3
    flat = zeros.float().flatten()
    assert torch.corrcoef(torch.stack([flat[1:], flat[:-1]]))[0, 1].abs() < 5e-3


def test_what_is_dropped_gets_no_gradient():
    x = torch.ones(1000, requires_grad=True)
    result = Dropout(0.5).train()(x)
    result.sum().backward()
    assert torch.equal(x.grad, result.detach())


def test_nothing_happens_in_evaluation_or_without_a_share():
    x = torch.randn(5, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_the_seed_draws_the_zeros():
    layer, x = Dropout(0.5).train(), torch.ones(100)
    torch.manual_seed(3)
    first = layer(x)
    assert not torch.equal(layer(x), first)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_values_and_gradients_are_multiplied_by_the_same_mask(dtype):
    layer = Dropout(0.25).train()
    x = torch.randn(30, 17, dtype=dtype, requires_grad=True)
    torch.manual_seed(1)
    mask = layer(torch.ones(30, 17, dtype=dtype))
    torch.manual_seed(1)
    result, gradient = layer(x), torch.randn(17, 30, dtype=dtype).T
    result.backward(gradient)
    torch.testing.assert_close(result, x * mask)
    torch.testing.assert_close(x.grad, gradient * mask)
