"""Random numbers that depend on a seed and a purpose, and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_torch(seed: int) -> None:
    """Seed the generators of torch on all devices, which weights and dropout draw from.

    They are the only global ones that a resumed training restores; batches have a :func:`stream`.
    """
    import torch  # slow to import, and not needed by those who want a stream only

    torch.manual_seed(seed)


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a generator that depends on the seed and the purpose alone.

    The batches of epoch 7 of stage 2 are ``stream(seed, "batches", 2, 7)``: a resumed training
    finds them again without having drawn those of the epochs before.
    """
    words = "\0".join(str(word) for word in (seed, *purpose))
    key = hashlib.blake2b(words.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key, "big")))
