"""From the sections of an experiment to its encoder."""

from __future__ import annotations

import torch

from quadrat.photos.encoders.base import PhotoEncoder, encoders, require_sizes
from quadrat.photos.encoders.several_sizes import SeveralSizes
from quadrat.photos.schema import CleanSection, EncoderSection, TtaSection, ViewsSection


def create_encoder(
    section: EncoderSection,
    views: ViewsSection,
    clean: CleanSection | None = None,
    tta: TtaSection | None = None,
    *,
    seed: int = 0,
) -> PhotoEncoder:
    """Makes the encoder of an experiment, on the CPU.

    Args:
        section: Its name, weights and pooling.
        views: Sizes and fit of photos; of several sizes the vectors are joined.
        clean: What is taken away from photos first; nothing by default.
        tta: The looks that it must be able to take besides.
        seed: Of random weights (``encoder.weights = 'none'``); the global generators are left
            as they are.

    Raises:
        UnknownNameError: No encoder has this prefix.
        UsageError: The name, size or pooling is not one of this encoder's.
        DataError: The weights cannot be had, or do not fit.
    """
    prefix, _, _ = section.name.partition(":")
    sizes = views.sides
    seen = views.model_copy(update={"size": sizes[0]}) if sizes else views
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = encoders[prefix](section, seen, clean or CleanSection())
        if sizes:
            encoder = SeveralSizes(encoder, sizes)
    if tta is not None:
        require_sizes(encoder, tta.sides, "tta.sizes")
    encoder.requires_grad_(False)
    encoder.tail.requires_grad_(True)
    return encoder.train(False)
