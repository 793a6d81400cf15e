"""Ensembles: several finished runs that answer together, as a run of their own."""
