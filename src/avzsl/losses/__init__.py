"""Losses on scores: pure functions, one per file."""
