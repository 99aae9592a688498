"""The loop and the networks of AVCA and TCaF as they are usually written, for `methods.py`.

Written anew after the description of the released code: a dataset class that fetches one sample at
a time and draws a second clip of the class and one of another class beside it, a sampler over
weights of all clips, collation in a loop over clips, dense attention with a mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.utils.data import BatchSampler, Dataset, WeightedRandomSampler

TEXT = 300
"""Size of a class vector."""


class PairDataset(Dataset):
    """One clip a call, with one of another class beside it."""

    def __init__(self, audio: list, video: list, text: Tensor, labels: np.ndarray) -> None:
        self.audio, self.video, self.text = audio, video, text
        self.targets = torch.from_numpy(labels)
        self.classes = set(labels.tolist())
        self.of_class = {name: np.where(labels == name)[0] for name in self.classes}

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> dict[str, dict[str, Any]]:
        target = self.targets[index].item()
        second = index
        while second == index:
            second = np.random.choice(self.of_class[target])
        other = np.random.choice(list(self.classes - {target}))
        negative = np.random.choice(self.of_class[other])
        return {
            "positive": self._clip(index, target),
            "negative": self._clip(negative, other),
        }

    def _clip(self, index: int, target: int) -> dict[str, Any]:
        row = list(self.classes).index(target)
        return {
            "audio": self.audio[index],
            "video": self.video[index],
            "text": self.text[row],
            "target": row,
        }


def pad_samples(samples: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Collate sequences of unequal length: a loop over clips."""
    batch: dict[str, dict[str, Any]] = {}
    for side in ("positive", "negative"):
        clips = [sample[side] for sample in samples]
        made: dict[str, Any] = {}
        for name, seconds in (("audio", 0.96), ("video", 0.64)):
            longest = max(len(clip[name]) for clip in clips)
            features, masks, times = [], [], []
            for clip in clips:
                length = len(clip[name])
                padded = np.zeros((longest, clip[name].shape[1]), np.float32)
                padded[:length] = clip[name]
                features.append(torch.from_numpy(padded))
                mask = torch.zeros(longest)
                mask[:length] = 1
                masks.append(mask)
                times.append(torch.arange(longest) * seconds)
            made |= {name: torch.stack(features), f"{name}_mask": torch.stack(masks)}
            made[f"{name}_times"] = torch.stack(times)
        made["text"] = torch.stack([clip["text"] for clip in clips])
        made["target"] = torch.tensor([clip["target"] for clip in clips])
        batch[side] = made
    return batch


class BatchDraw(BatchSampler):
    """A weighted draw over all clips for every batch."""

    def __init__(self, labels: np.ndarray, batch_size: int, batches: int) -> None:
        weights = 1 / np.bincount(labels)[labels]
        self.draw = WeightedRandomSampler(weights.tolist(), batch_size, replacement=True)
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.batches):
            yield list(self.draw)

    def __len__(self) -> int:
        return self.batches


def net(*sizes: int, dropout: float) -> nn.Sequential:
    """Linear, batch normalisation, ReLU and dropout for each pair of sizes."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Attention(nn.Module):
    """Dense attention with a mask; every intermediate is written out."""

    def __init__(self, width: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, head_dim**-0.5
        self.to_q, self.to_k, self.to_v = (
            nn.Linear(width, heads * head_dim, bias=False) for _ in range(3)
        )
        self.to_out = nn.Sequential(nn.Linear(heads * head_dim, width), nn.Dropout(dropout))

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return the tokens, mixed."""
        q, k, v = (
            to(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for to in (self.to_q, self.to_k, self.to_v)
        )
        logits = q @ k.transpose(2, 3) * self.scale
        if allowed is not None:
            logits = logits.masked_fill(~allowed, -1e9)
        return self.to_out((logits.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention and a feed-forward part, each after a normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int, head_dim: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, head_dim, dropout)
        self.feed = nn.Sequential(
            nn.Linear(width, inner),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(inner, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return the tokens after the layer."""
        x = x + self.attention(self.norm(x), allowed)
        return x + self.feed(self.norm(x))


class PlainAvca(nn.Module):
    """AVCA after its description."""

    def __init__(self, audio: int, video: int) -> None:
        super().__init__()
        self.encode = nn.ModuleList([net(size, 512, 300, dropout=0.2) for size in (audio, video)])
        self.register_buffer("position", torch.randn(2, 300))
        self.layer = Layer(300, 3, 100, 64, 0.2)
        self.project = nn.ModuleList([net(300, 512, 64, dropout=0.3) for _ in range(2)])
        self.words, self.decode = net(TEXT, 64, dropout=0.5), net(64, TEXT, dropout=0.5)
        self.rebuild = nn.ModuleList([net(64, 300, dropout=0.5) for _ in range(2)])

    def embed(self, clip: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the clips and their words on their way."""
        a, v = self.encode[0](clip["audio"]), self.encode[1](clip["video"])
        tokens = torch.stack((a + self.position[0], v + self.position[1]), dim=1)
        tokens = self.layer(tokens)
        ta, tv = self.project[0](a + tokens[:, 0]), self.project[1](v + tokens[:, 1])
        return a, v, ta, tv, self.words(clip["text"])

    def loss(self, batch: dict[str, dict[str, Tensor]], _: Tensor) -> Tensor:
        """Return the sum of all terms."""
        a, v, ta, tv, tw = self.embed(batch["positive"])
        _, _, na, nv, nw = self.embed(batch["negative"])
        w, mse, triplet = batch["positive"]["text"], nn.MSELoss(), nn.TripletMarginLoss(margin=1.0)
        ra, rv, rw = self.decode(ta), self.decode(tv), self.decode(tw)
        qa, qv = self.decode(na), self.decode(nv)
        loss = triplet(tw, ta, na) + triplet(ta, tw, nw) + triplet(tw, tv, nv) + triplet(tv, tw, nw)
        loss = loss + triplet(ta, tw, na) + triplet(tv, tw, nv)
        loss = loss + triplet(tw, ta, nw) + triplet(tw, tv, nw)
        loss = loss + mse(rv, w) + mse(ra, w) + mse(rw, w) + triplet(rw, ra, qa)
        loss = loss + triplet(rw, rv, qv) + mse(tv, tw) + mse(ta, tw)
        va, vv = self.rebuild[0](ta), self.rebuild[1](tv)
        self.project[0](va), self.project[1](vv)
        return loss + mse(va, a) + mse(vv, v)


class PlainTcaf(nn.Module):
    """TCaF after its description."""

    def __init__(self, audio: int, video: int) -> None:
        super().__init__()
        self.encode = nn.ModuleList([net(size, 512, 300, dropout=0.3) for size in (audio, video)])
        self.modality = nn.Embedding(2, 64)
        self.padding = nn.Embedding(1, 64)
        self.register_buffer("frequencies", torch.randn(2, 32) * 10)
        self.mix = nn.Linear(64, 64)
        self.join = nn.ModuleList([nn.Conv1d(364, 300, 1) for _ in range(2)])
        self.first = nn.Parameter(torch.randn(300))
        self.layers = nn.ModuleList([Layer(300, 8, 64, 128, 0.3) for _ in range(6)])
        self.project, self.decode = net(300, 512, 64, dropout=0.1), net(64, 512, TEXT, dropout=0.1)
        self.words, self.decode_words = net(TEXT, 64, dropout=0.1), net(64, TEXT, dropout=0.1)

    def embed(self, clip: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the clips and their words on their way."""
        parts = [self.first.expand(len(clip["audio"]), 1, -1)]
        inputs = clip["audio"] / 255, F.normalize(clip["video"], dim=1)
        for i, (name, raw) in enumerate(zip(("audio", "video"), inputs, strict=True)):
            encoded = self.encode[i](raw.flatten(0, 1)).unflatten(0, raw.shape[:2])
            place = clip[f"{name}_times"].unsqueeze(-1).expand(-1, -1, 2) @ self.frequencies
            waves = torch.cat([(2 * torch.pi * place).sin(), (2 * torch.pi * place).cos()], dim=-1)
            mask = clip[f"{name}_mask"].unsqueeze(-1)
            extra = self.mix(waves) + self.modality.weight[i] + (1 - mask) * self.padding.weight[0]
            joined = self.join[i](torch.cat([encoded, extra], dim=-1).transpose(1, 2))
            parts.append(F.dropout(joined.transpose(1, 2), 0.2, self.training))
        real = torch.cat([clip["audio_mask"], clip["video_mask"]], dim=1) > 0
        side = torch.tensor([0] * parts[1].shape[1] + [1] * parts[2].shape[1], device=real.device)
        cross = F.pad(side[:, None] != side[None], (1, 0, 1, 0), value=True)
        real = F.pad(real, (1, 0), value=True)
        allowed = cross & real[:, None, None] & real[:, None, :, None]
        tokens = torch.cat(parts, dim=1)
        for layer in self.layers:
            tokens = layer(tokens, allowed)
        return self.project(tokens[:, 0]), self.words(clip["text"])

    def loss(self, batch: dict[str, dict[str, Tensor]], vectors: Tensor) -> Tensor:
        """Return the sum of all terms."""
        clip = batch["positive"]
        clips, words = self.embed(clip)
        w = clip["text"]
        loss = F.cross_entropy(clips @ self.words(vectors).T, clip["target"])
        loss = loss + F.mse_loss(clips, words) + F.mse_loss(self.decode(clips), w)
        return loss + F.mse_loss(self.decode_words(words), w)


PLAIN = {"avca": PlainAvca, "tcaf": PlainTcaf}
