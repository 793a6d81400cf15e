"""`[encoder]`: what turns a photo into a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from quadrat.experiment import Located, Section
from quadrat.photos.schema import rules
from quadrat.photos.schema.kinds import Rate

Pool = Literal["auto", "class", "mean", "max", "gem"]
"""How what is said of the places of a view becomes a vector."""


@dataclass(frozen=True)
class _LocatedRows(Located):
    """Marks encoder.rows: a path, unless it names a column."""

    def holds_path(self, value: object) -> bool:
        return super().holds_path(value) and not str(value).startswith("column:")


class EncoderSection(Section):
    """What turns a photo into a vector."""

    name: Annotated[str, Located(prefix="precomputed:")] = Field(
        rules.BUNDLED,
        description="timm:MODEL; open_clip:MODEL or open_clip:hf-hub:ORGANISATION/NAME, an image "
        "tower; or precomputed:FILE.npy with one row a photo.",
    )
    weights: Annotated[str, Located(words=("hub", "bundled", "none"))] = Field(
        "hub",
        description="hub: downloaded; bundled: installed with quadrat, for "
        f"{rules.BUNDLED} (its default); none: random; or a file (safetensors or state dict).",
    )
    rows: Annotated[str | None, _LocatedRows()] = Field(
        None,
        description="precomputed: which photos the matrix's rows are: a text file with one photo "
        "a line, or column:NAME, a column of the table with row numbers from 0.",
    )
    train: Literal["head", "all"] = Field(
        "head",
        description="head: the encoder is frozen, but for train_last_blocks; all: it learns.",
    )
    train_last_blocks: int | None = Field(
        None,
        ge=1,
        description="So many of its last blocks (of a convolutional network: stages) learn; what "
        "lies before them is computed once.",
    )
    learning_rate: Rate = Field(1e-5, description="Of what learns of the encoder.")
    layer_decay: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="The last block learns at this share of the rate, the one before at its "
        "square, and so on.",
    )
    freeze_epochs: int = Field(
        0, ge=0, description="In so many first epochs the encoder does not learn yet."
    )
    checkpointing: bool = Field(
        False,
        description="Compute blocks that learn again in the backward pass: less memory, more time.",
    )
    pool: Pool | tuple[Pool, ...] = Field(
        "auto",
        description="How places become one vector: auto (as the model was trained), class, mean, "
        "max or gem (generalised mean); several are joined.",
    )
    layers: tuple[int, ...] = Field(
        (),
        description="Numbers of the blocks whose vectors are joined, negative ones from the end; "
        "by default the last one alone. Blocks after the highest do not run.",
    )
    tokens: bool = Field(
        False, description="Keep what is said of each place of a view, for fusions that ask for it."
    )
    token_layers: Literal["last", "all"] = Field(
        "last",
        description="last: tokens are those after the last of encoder.layers; all: what all of "
        "them say of a place is joined, averaged to the places of the last.",
    )
    cache: bool = Field(
        True,
        description="What the frozen part says of a photo is computed once and kept for later "
        "runs; false: anew in every epoch, so that photos can be varied.",
    )
    cache_precision: Literal["fp32", "fp16"] = Field(
        "fp32",
        description="How what is larger than a vector is kept: fp16 takes half the room, and "
        "rounds at the fourth digit.",
    )

    @property
    def precomputed(self) -> bool:
        """Whether the features were computed elsewhere."""
        return self.name.startswith("precomputed:")

    @property
    def keeps(self) -> bool:
        """Whether what a frozen part says of photos is computed once and kept."""
        return self.precomputed or (self.cache and self.train == "head")

    @property
    def learns(self) -> bool:
        """Whether anything of the encoder learns."""
        return self.train == "all" or self.train_last_blocks is not None

    @property
    def pools(self) -> tuple[str, ...]:
        """The poolings whose vectors are joined."""
        return (self.pool,) if isinstance(self.pool, str) else self.pool

    @model_validator(mode="before")
    @classmethod
    def _default_weights(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "weights" in content:
            return content
        name = str(content.get("name", rules.BUNDLED))
        if name == rules.BUNDLED:
            return {**content, "weights": "bundled"}
        return {**content, "weights": "none"} if name.startswith("precomputed:") else content

    @model_validator(mode="after")
    def _agree(self) -> EncoderSection:
        rules.raise_problems(rules.encoder_problems(self))
        return self
