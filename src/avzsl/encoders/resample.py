r"""Change of sample rate by windowed-sinc interpolation, on tensors of any device.

Output sample :math:`k` lies at :math:`t_k = k \cdot M / L` source samples, where :math:`M / L` is
the reduced ratio of the rates, and is

.. math:: y_k = \sum_n x_n \, h(n - t_k), \qquad
          h(t) = 2 f_c \operatorname{sinc}(2 f_c t) \, w(t)

with the cut-off :math:`f_c` below the lower of the two Nyquist frequencies and a Kaiser window
:math:`w` (Smith and Gossett, "A Flexible Sampling-Rate Conversion Method", ICASSP 1984), or a Hann
window. Only L different sets of weights occur, one a phase::

    source   0   1   2   3   4   5   6   7   8      M = 3, L = 2
    output   0     1     2     3     4     5        phases 0 and 1 in turn, t_k = 1.5 k
    block    |-----------|-----------|              one block: L outputs from M steps

Shapes: C channels, S source samples, R result samples, L phases, K taps, Q blocks.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

MAX_KERNEL = 2**22
"""Entries of a convolution kernel above which single outputs are computed instead of blocks."""

MIN_PHASES = 32
"""Outputs of a block at least."""

CHUNK = 2**15
"""Outputs at a time in that case: bounds the memory at about 30 MB a channel."""


def resample(
    samples_CS: Tensor,
    *,
    from_rate: int,
    to_rate: int,
    zero_crossings: int = 48,
    rolloff: float = 0.94,
    beta: float | None = 9.0,
) -> Tensor:
    """Return the sound at another rate, float32 [C, R] with R = ceil(S * to_rate / from_rate).

    Args:
        samples_CS: Sound, one row a channel.
        from_rate: Samples per second of the sound.
        to_rate: Samples per second of the result.
        zero_crossings: Zeros of the sinc on each side: the steepness of the filter.
        rolloff: Cut-off as a share of the lower Nyquist frequency, in (0, 1].
        beta: Shape of the Kaiser window; 9 puts the stop band 90 dB down (Kaiser, 1974). None is a
            Hann window; with 6 zero crossings and a rolloff of 0.99 that is torchaudio's default.

    Raises:
        ValueError: If a rate is not positive or the samples are not [C, S].
    """
    import torch

    if from_rate <= 0 or to_rate <= 0:
        raise ValueError(f"Sample rates must be positive, got {from_rate = }, {to_rate = }.")
    if samples_CS.ndim != 2:
        raise ValueError(f"Expected samples [C, S], got {samples_CS.shape = }.")
    samples_CS = samples_CS.to(torch.float32)
    if from_rate == to_rate or samples_CS.shape[1] == 0:
        return samples_CS
    common = math.gcd(from_rate, to_rate)
    # Blocks of one or two outputs would make a convolution of as few channels, which is slow.
    repeats = -(-MIN_PHASES * common // to_rate)
    design = _Design(
        step=repeats * from_rate // common,
        phases=repeats * to_rate // common,
        zero_crossings=zero_crossings,
        rolloff=rolloff,
        beta=beta,
    )
    length = -(-samples_CS.shape[1] * to_rate // from_rate)
    if design.phases * (design.step + 2 * design.reach) <= MAX_KERNEL:
        return _by_blocks(samples_CS, length, design)
    return _by_outputs(samples_CS, length, design)


class _Design(NamedTuple):
    """A filter; the key under which its weights are kept."""

    step: int
    """Source samples of a block, M."""
    phases: int
    """Outputs of a block, L."""
    zero_crossings: int
    rolloff: float
    beta: float | None

    @property
    def bandwidth(self) -> float:
        """Twice the cut-off, in cycles per source sample."""
        return self.rolloff * min(1.0, self.phases / self.step)

    @property
    def reach(self) -> int:
        """How many source samples on each side an output depends on."""
        return math.ceil(self.zero_crossings / self.bandwidth)

    def weights(self, t: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return h at times ``t`` in source samples."""
        place = t * self.bandwidth / self.zero_crossings
        if self.beta is None:
            window = np.cos(np.pi / 2 * np.clip(place, -1.0, 1.0)) ** 2
        else:
            inside = np.clip(1.0 - place**2, 0.0, None)
            window = np.where(inside > 0, np.i0(self.beta * np.sqrt(inside)) / np.i0(self.beta), 0)
        h: NDArray[np.float64] = self.bandwidth * np.sinc(self.bandwidth * t) * window
        return h.astype(np.float32)


@functools.lru_cache(maxsize=32)
def _block_kernel(design: _Design) -> NDArray[np.float32]:
    """Return the weights [L, K] of the outputs of one block on the source samples around it."""
    taps_1K = np.arange(-design.reach, design.step + design.reach, dtype=np.float64)[None]
    times_L1 = np.arange(design.phases, dtype=np.float64)[:, None] * design.step / design.phases
    return design.weights(taps_1K - times_L1)


def _by_blocks(samples_CS: Tensor, length: int, design: _Design) -> Tensor:
    """All L outputs of a block in one strided convolution: fast while L and M are small."""
    import torch
    from torch.nn import functional

    blocks = -(-length // design.phases)
    missing = blocks * design.step + design.reach - samples_CS.shape[1]
    padded_C1S = functional.pad(samples_CS[:, None], (design.reach, max(missing, 0)))
    kernel_L1K = torch.from_numpy(_block_kernel(design)).to(samples_CS.device)[:, None]
    blocks_CLQ = functional.conv1d(padded_C1S, kernel_L1K, stride=design.step)[..., :blocks]
    return blocks_CLQ.mT.reshape(len(samples_CS), -1)[:, :length].contiguous()


@functools.lru_cache(maxsize=8)
def _output_kernel(design: _Design) -> NDArray[np.float32]:
    """Return the weights [L, K] of each output on the K source samples nearest to it."""
    taps_1K = np.arange(-design.reach, design.reach + 2, dtype=np.float64)[None]
    times_L1 = np.arange(design.phases, dtype=np.int64)[:, None] * design.step
    return design.weights(taps_1K - times_L1 % design.phases / design.phases)


def _by_outputs(samples_CS: Tensor, length: int, design: _Design) -> Tensor:
    """Each output from its own K neighbours: slower, for rates with a small common divisor."""
    import torch
    from torch.nn import functional

    device = samples_CS.device
    kernel_LK = torch.from_numpy(_output_kernel(design)).to(device)
    padded_CS = functional.pad(samples_CS, (design.reach, design.reach + 2))
    windows_CRK = padded_CS.unfold(1, kernel_LK.shape[1], 1)
    parts = []
    for begin in range(0, length, CHUNK):
        outputs_R = torch.arange(begin, min(begin + CHUNK, length), device=device)
        nearest_R = outputs_R * design.step // design.phases
        parts.append((windows_CRK[:, nearest_R] * kernel_LK[outputs_R % design.phases]).sum(-1))
    return torch.cat(parts, dim=1)
