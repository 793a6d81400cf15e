"""`[encoder]`: what turns a photo into a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from quadrat.experiment import Located, Section
from quadrat.photos.schema import rules
from quadrat.photos.schema.kinds import Rate


@dataclass(frozen=True)
class _LocatedRows(Located):
    """Marks encoder.rows: a path, unless it names a column."""

    def holds_path(self, value: object) -> bool:
        return super().holds_path(value) and not str(value).startswith("column:")


class EncoderSection(Section):
    """What turns a photo into a vector."""

    name: Annotated[str, Located(prefix="precomputed:")] = Field(
        rules.BUNDLED, description="timm:MODEL, or precomputed:FILE.npy with one row a photo."
    )
    weights: Annotated[str, Located(words=("hub", "bundled", "none"))] = Field(
        "hub",
        description="hub: downloaded by timm; bundled: installed with quadrat, for "
        f"{rules.BUNDLED} (its default); none: random; or a file (safetensors or state dict).",
    )
    rows: Annotated[str | None, _LocatedRows()] = Field(
        None,
        description="precomputed: which photos the matrix's rows are: a text file with one photo "
        "a line, or column:NAME, a column of the table with row numbers from 0.",
    )
    train: Literal["head", "all"] = Field(
        "head", description="head: the encoder is frozen; all: it learns too."
    )
    learning_rate: Rate = Field(1e-5, description="Of the encoder, with encoder.train = 'all'.")
    pool: Literal["auto", "class", "mean", "max"] = Field(
        "auto", description="How tokens become one vector; auto: as the model was trained."
    )
    cache: bool = Field(
        True,
        description="What the frozen part says of a photo is computed once and kept for later "
        "runs; false: anew in every epoch, so that photos can be varied.",
    )

    @property
    def precomputed(self) -> bool:
        """Whether the features were computed elsewhere."""
        return self.name.startswith("precomputed:")

    @property
    def keeps(self) -> bool:
        """Whether what a frozen part says of photos is computed once and kept."""
        return self.precomputed or (self.cache and self.train == "head")

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
