"""Audio-visual generalized zero-shot learning, from raw video to result tables."""

__version__ = "0.1.0"
