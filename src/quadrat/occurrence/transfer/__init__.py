"""Models from elsewhere: geomodel checkpoints, and runs that training starts from."""

from __future__ import annotations
