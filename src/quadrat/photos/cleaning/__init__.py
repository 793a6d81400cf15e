"""Marks in photos that are drawn on purpose, so that a model learns to ignore them."""
