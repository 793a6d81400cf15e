"""Place and week to species: the probability of each species at a place, in a week of the year.

The modules, in the order of the data: `schema` (the experiment file), `records` (the combined
parquet), `labels`, `taxonomy`, `environment`, `partition`, `dataset`, `batches`, `encodings`,
`network`, `losses`, `objective`, `training`, `predictor`, `family`. They are imported by name,
so that this package alone needs neither torch nor polars.
"""

from __future__ import annotations
