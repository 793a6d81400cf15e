"""Ensembles of species networks."""
