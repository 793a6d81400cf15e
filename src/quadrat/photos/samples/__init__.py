"""Samples: photos with metadata and targets, as tables tell them."""
