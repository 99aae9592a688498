"""Change of sample rate, against the formula written out sum by sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from avzsl.encoders import resample as module
from avzsl.encoders.resample import resample

RATES = [
    (44_100, 16_000),
    (48_000, 16_000),
    (16_000, 48_000),
    (8_000, 16_000),
    (22_050, 16_000),
    (16_000, 44_100),
    (11_127, 16_000),
    (3, 7),
    (7, 3),
]


def by_loops(x, old, new, zeros=48, rolloff=0.94, beta=9.0):
    """y_k = sum_n x_n h(n - k old / new), each output on its own."""
    bandwidth = rolloff * min(1.0, new / old)
    out = []
    for k in range(math.ceil(len(x) * new / old)):
        t = np.arange(len(x)) - k * old / new
        edge = 1 - (t * bandwidth / zeros) ** 2
        if beta is None:
            window = np.cos(np.pi * t * bandwidth / zeros / 2) ** 2 * (edge > 0)
        else:
            window = np.i0(beta * np.sqrt(np.maximum(edge, 0))) / np.i0(beta) * (edge > 0)
        out.append((x * bandwidth * np.sinc(bandwidth * t) * window).sum())
    return np.array(out)


@pytest.mark.parametrize(("old", "new"), RATES)
def test_equals_the_formula(old, new):
    x = np.random.default_rng(0).standard_normal(150)
    y = resample(torch.from_numpy(x)[None], from_rate=old, to_rate=new)
    expected = by_loops(x, old, new)
    assert y.dtype == torch.float32 and y.shape == (1, len(expected))
    np.testing.assert_allclose(y[0].numpy(), expected, atol=4e-6)


@pytest.mark.parametrize("beta", [5.0, None])
@pytest.mark.parametrize(("old", "new"), RATES)
def test_filter_can_be_chosen(old, new, beta):
    x = np.random.default_rng(1).standard_normal(90)
    options = {"zero_crossings": 6, "rolloff": 0.8, "beta": beta}
    y = resample(torch.from_numpy(x)[None], from_rate=old, to_rate=new, **options)
    np.testing.assert_allclose(y[0].numpy(), by_loops(x, old, new, 6, 0.8, beta), atol=4e-6)


@pytest.mark.parametrize(("old", "new"), [*RATES, (1, 1_000), (1_000, 1)])
@pytest.mark.parametrize("samples", [1, 2, 160, 441, 1_001])
def test_length_is_exact(old, new, samples):
    y = resample(torch.ones(2, samples), from_rate=old, to_rate=new)
    assert y.shape == (2, math.ceil(samples * new / old))


@pytest.mark.parametrize(("old", "new"), [*RATES[:6], (111, 160), (7, 3)])
def test_both_ways_to_compute_agree(old, new, monkeypatch):
    x = torch.from_numpy(np.random.default_rng(2).standard_normal((2, 3_000)))
    monkeypatch.setattr(module, "MAX_KERNEL", 10**9)
    blocks = resample(x, from_rate=old, to_rate=new)
    monkeypatch.setattr(module, "MAX_KERNEL", 0)
    monkeypatch.setattr(module, "CHUNK", 777)
    single = resample(x, from_rate=old, to_rate=new)
    torch.testing.assert_close(blocks, single, atol=4e-6, rtol=0)


def test_rates_with_no_common_divisor_need_little_memory(monkeypatch):
    monkeypatch.setattr(module, "_block_kernel", None)
    y = resample(torch.zeros(1, 44_101), from_rate=44_101, to_rate=16_000)
    assert y.shape == (1, 16_000)


def test_same_rate_changes_nothing():
    x = torch.randn(2, 100)
    assert torch.equal(resample(x, from_rate=16_000, to_rate=16_000), x)
    assert resample(torch.zeros(1, 0), from_rate=8_000, to_rate=16_000).shape == (1, 0)


@pytest.mark.parametrize(
    ("hertz", "gain_db", "tolerance"),
    [(0, 0, 0.001), (100, 0, 0.001), (3_000, 0, 0.001), (6_800, 0, 0.01), (7_520, -6, 0.5)],
)
def test_what_passes(hertz, gain_db, tolerance):
    assert level_db(hertz) == pytest.approx(gain_db, abs=tolerance)


@pytest.mark.parametrize("hertz", [8_100, 9_000, 12_000, 15_900, 20_000])
def test_what_does_not_pass(hertz):
    assert level_db(hertz) < -85


def level_db(hertz):
    """Level of a cosine after resampling from 48 to 16 kHz, relative to before, in dB."""
    x = torch.cos(2 * torch.pi * hertz * torch.arange(24_000, dtype=torch.float64) / 48_000)
    y = resample(x[None], from_rate=48_000, to_rate=16_000)[0, 500:-500].double()
    x = x[1_500:-1_500]
    return 10 * math.log10(float(y.square().mean() / x.square().mean()) + 1e-20)


def test_time_does_not_shift():
    seconds = 0.5
    for old, new in RATES[:6]:
        t_old = torch.arange(round(seconds * old), dtype=torch.float64) / old
        t_new = torch.arange(round(seconds * new), dtype=torch.float64) / new
        y = resample(torch.sin(2 * torch.pi * 300 * t_old)[None], from_rate=old, to_rate=new)[0]
        middle = slice(new // 10, -new // 10)
        expected = torch.sin(2 * torch.pi * 300 * t_new)
        assert (y.double() - expected)[middle].abs().max() < 1e-4


def test_channels_do_not_mix():
    x = torch.randn(3, 500)
    together = resample(x, from_rate=44_100, to_rate=16_000)
    for channel in range(3):
        alone = resample(x[channel : channel + 1], from_rate=44_100, to_rate=16_000)
        torch.testing.assert_close(together[channel : channel + 1], alone, atol=1e-6, rtol=0)


def test_bad_arguments():
    with pytest.raises(ValueError, match="from_rate = 0"):
        resample(torch.zeros(1, 5), from_rate=0, to_rate=16_000)
    with pytest.raises(ValueError, match=r"\[C, S\]"):
        resample(torch.zeros(5), from_rate=8_000, to_rate=16_000)
