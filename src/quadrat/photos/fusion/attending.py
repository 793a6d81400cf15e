"""Fusions by attention over the places of views: a perceiver, and views that look at each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quadrat.photos.fusion.base import FusionSpec, SampleViews, fusions
from quadrat.photos.fusion.joining import Joined, MetadataTokens
from quadrat.photos.fusion.metadata import Metadata
from quadrat.photos.fusion.tokens import TokenSequences, masked_mean


class Attention(nn.Module):
    """Attention of several heads: Vaswani et al. (2017), NeurIPS.

    Args:
        width: H, divisible by ``heads``.
        heads: Number of heads.
        dropout: Share of what is added that is dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys = nn.Linear(width, width), nn.Linear(width, width)
        self.values, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """What queries find in a context.

        Args:
            queries: ``(B, Q, H)``.
            context: ``(B, L, H)``.
            mask: What of it they may see, ``(B, 1, L)`` or ``(B, Q, L)``; something each.

        Returns:
            ``(B, Q, H)``.
        """
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.queries(queries), self.keys(context), self.values(context))
        )
        found = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
        out: Tensor = self.dropout(self.out(found.transpose(1, 2).flatten(2)))
        return out


class Feedforward(nn.Sequential):
    """Two layers for every token by itself.

    Args:
        width: H.
        dropout: Share that is dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )


class _PerceiverLayer(nn.Module):
    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.latent_norm, self.self_norm = nn.LayerNorm(spec.hidden), nn.LayerNorm(spec.hidden)
        self.look = Attention(spec.hidden, spec.heads, spec.dropout)
        self.think = Attention(spec.hidden, spec.heads, spec.dropout)
        self.feedforward = Feedforward(spec.hidden, spec.dropout)

    def forward(self, latents: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        latents = latents + self.look(self.latent_norm(latents), context, mask)
        own = self.self_norm(latents)
        everything = mask.new_ones(len(mask), 1, latents.shape[1])
        latents = latents + self.think(own, own, everything)
        out: Tensor = latents + self.feedforward(latents)
        return out


@fusions.register("perceiver", summary="a few latents read all places and all metadata")
class PerceiverFusion(nn.Module):
    """Learnt latents attend to the places of all views and to one token a metadata column.

    Jaegle et al. (2021), "Perceiver: general perception with iterative attention", ICML. A layer
    looks at the context, then the latents look at each other. The latents' mean comes out.

    Args:
        spec: Its sizes; ``hidden`` is divisible by ``heads``.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.tokens = TokenSequences(spec, places=True)
        self.metadata = MetadataTokens(spec)
        self.context_norm, self.out_norm = nn.LayerNorm(spec.hidden), nn.LayerNorm(spec.hidden)
        self.latents = nn.Parameter(0.02 * torch.randn(spec.latents, spec.hidden))
        self.layers = nn.ModuleList(_PerceiverLayer(spec) for _ in range(spec.layers))

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        values, mask, _ = self.tokens(views)
        beside = self.metadata(metadata)
        if beside.shape[1]:
            values = torch.cat([values, beside.to(values.dtype)], dim=1)
            mask = torch.cat([mask, mask.new_ones(beside.shape[:2])], dim=1)
        context = self.context_norm(values)
        latents = self.latents.expand(views.count, -1, -1)
        for layer in self.layers:
            latents = layer(latents, context, mask[:, None])
        fused: Tensor = self.out_norm(latents).mean(dim=1)
        return fused


class _CrossLayer(nn.Module):
    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(spec.hidden)
        self.look = Attention(spec.hidden, spec.heads, spec.dropout)
        self.nothing = nn.Parameter(torch.zeros(spec.hidden))
        self.feedforward = Feedforward(spec.hidden, spec.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        own = self.norm(values)
        nothing = self.nothing.to(own.dtype).expand(len(own), 1, -1)
        values = values + self.look(own, torch.cat([nothing, own], dim=1), mask)
        out: Tensor = values + self.feedforward(values)
        return out


@fusions.register("cross-attention", summary="the places of a view attend to those of the others")
class CrossAttentionFusion(nn.Module):
    """The places of every view attend to those of the sample's other views, and are averaged.

    There is one more thing to look at, a learnt vector: all that a single view can see.

    Args:
        spec: Its sizes; ``hidden`` is divisible by ``heads``.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.tokens = TokenSequences(spec, places=True)
        self.layers = nn.ModuleList(_CrossLayer(spec) for _ in range(spec.layers))
        self.out_norm = nn.LayerNorm(spec.hidden)
        self.joined = Joined(spec, spec.hidden)

    def forward(self, views: SampleViews, metadata: Metadata) -> Tensor:
        """Views and metadata of B samples to ``(B, H)``."""
        values, there, view = self.tokens(views)
        others = (view[:, None] != view) & there[:, None]
        mask = torch.cat([others.new_ones(*others.shape[:2], 1), others], dim=2)
        for layer in self.layers:
            values = layer(values, mask)
        fused: Tensor = self.joined(masked_mean(self.out_norm(values), there), metadata)
        return fused
