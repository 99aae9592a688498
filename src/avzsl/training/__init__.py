"""Fitting a method: the two-stage protocol. Imports nothing: Snakemake reads ``protocol`` only."""
