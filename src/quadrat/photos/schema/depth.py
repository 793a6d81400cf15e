"""`[depth]`: depth maps beside the photos."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quadrat.experiment import Located, Section


class DepthSection(Section):
    """Depth maps that a frozen network sees in the photos; none without this section."""

    model: str = Field(
        "depth-anything/Depth-Anything-V2-Small-hf",
        description="Network of Depth Anything on the hub; tiny: one for tests, with no trained "
        "weights. A config.json beside depth.weights comes before it.",
    )
    weights: Annotated[str, Located(words=("hub", "none"))] = Field(
        "hub",
        description="hub: downloaded by name; none: random; or a folder with config.json and "
        "model.safetensors, or a safetensors file.",
    )
    size: int = Field(
        518,
        ge=14,
        le=4096,
        description="The network sees a photo whole, in its own proportions, with as many pixels "
        "as a square of this side.",
    )
    map_size: int = Field(
        128, ge=16, le=1024, description="Side of the square maps that are kept, in pixels."
    )
    scale: Literal["dataset", "metric", "image"] = Field(
        "dataset",
        description="dataset: mean 0 and standard deviation 1 over all pixels of the training "
        "photos; metric: metres over 2, for networks that say metres; image: from 0 to 1 in every "
        "photo, which takes away how high the vegetation is and leaves its relief.",
    )
    fusion: Literal["concat", "add", "attention"] = Field(
        "concat",
        description="How a map joins its photo's vector. concat: both through a layer; add: the "
        "map through a layer; attention: the vector attends over places of the map. The result is "
        "added to the vector.",
    )
    cache: bool = Field(True, description="Keep the maps for later runs.")
