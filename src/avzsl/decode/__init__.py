"""Decoding: which frames, which samples, in worker processes that may fail."""
