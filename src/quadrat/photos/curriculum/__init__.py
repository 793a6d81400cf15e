"""A curriculum: which samples training sees first."""

from quadrat.photos.curriculum.fractal import edges, fractal_dimension
from quadrat.photos.curriculum.stages import fractal_stages, quantile_stages

__all__ = ["edges", "fractal_dimension", "fractal_stages", "quantile_stages"]
