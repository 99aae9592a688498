"""Accuracies of generalized zero-shot learning, and the calibration of their bias."""
