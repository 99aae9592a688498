"""Datasets: which clips there are, what each is used for, and their features in memory."""
