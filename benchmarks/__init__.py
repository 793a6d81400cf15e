"""Benchmarks: speed and quality in numbers, each beside what it is measured against."""
