"""Measures Hookline beside its baselines and its peers; `scripts/bench` is the way in."""
