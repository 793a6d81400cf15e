"""Place and week to species: the probability of each species at a place, in a week of the year.

In the order of the data: `schema` (the experiment file), `records` (the combined parquet),
`labels`, `samples`, `network`, `losses`, `judging`; `training`, `predictor` and `family` put them
together. They are imported by name, so that this package alone needs neither torch nor polars.
"""

from __future__ import annotations
