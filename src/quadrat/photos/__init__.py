"""Photo → numbers: samples of photos and metadata, encoders, and the networks on top of them.

Nothing is imported here, so that reading an experiment file stays instant: take the parts from
``quadrat.photos.schema``, ``quadrat.photos.samples``, ``quadrat.photos.encoders`` and the others.
"""

from __future__ import annotations
