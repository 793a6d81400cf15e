"""From records to batches: partition, environment, samples, batches."""

from __future__ import annotations
