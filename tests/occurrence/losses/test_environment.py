import torch

from quadrat.occurrence.losses.environment import environment_loss


def test_environment_loss_leaves_out_what_is_unknown():
    predicted = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    target = torch.tensor([[0.0, float("nan")], [1.0, 1.0], [float("nan")] * 2])
    assert environment_loss(predicted, target).tolist() == [1.0, (4 + 9) / 2, 0.0]


def test_what_is_unknown_sends_no_gradient():
    predicted = torch.ones(1, 2, requires_grad=True)
    environment_loss(predicted, torch.tensor([[float("nan"), 0.0]])).sum().backward()
    assert predicted.grad.tolist() == [[0.0, 2.0]]
