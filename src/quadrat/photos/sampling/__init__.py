"""Which samples training draws more often than others."""

from quadrat.photos.sampling.weights import weights_by_class, weights_by_target

__all__ = ["weights_by_class", "weights_by_target"]
