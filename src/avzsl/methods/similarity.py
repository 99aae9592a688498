r"""How EZ-AVGZL compares a clip with a class: the four choices of its Table 6.

Mo & Morgado, "Audio-visual Generalized Zero-shot Learning the Easy Way", ECCV 2024. The paper names
the four; what it leaves open is said at each. Below, z is the fused class token of a clip,
x_1 ... x_S are all its fused tokens (class token, audio, visual) and w is a class embedding. No
score depends on the length of w.

Shapes: B clips, S places of a sequence, N tokens of all clips, D width of a token, K classes,
W size of a class embedding, H heads of E dimensions each, U hidden units.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods.blocks import Layout

Readout = Literal["attended", "product", "residual"]


class Similarity(nn.Module, ABC):
    """Scores fused clips against class embeddings."""

    @abstractmethod
    def forward(self, tokens_ND: Tensor, layout: Layout, classes_KW: Tensor) -> Tensor:
        """Return scores_BK; a higher score is a likelier class.

        Args:
            tokens_ND: Fused tokens, the class tokens of all clips first.
            layout: Where the tokens lie.
            classes_KW: Embeddings of the candidate classes.
        """


class Cosine(Similarity):
    """The cosine of the angle between A z + a and w."""

    def __init__(self, width: int, class_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, class_dim)

    def forward(self, tokens_ND: Tensor, layout: Layout, classes_KW: Tensor) -> Tensor:
        """Return scores_BK in [-1, 1]."""
        clips_BW = self.project(tokens_ND[: layout.clips])
        return F.normalize(clips_BW, dim=1) @ F.normalize(classes_KW, dim=1).T


class Linear(Similarity):
    """The inner product of A z + a with the unit vector w / ||w||.

    A linear layer on the concatenation [z; w] would add a term of the clip to a term of the class,
    and so rank the classes alike for every clip; a linear compatibility is bilinear.
    """

    def __init__(self, width: int, class_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, class_dim)

    def forward(self, tokens_ND: Tensor, layout: Layout, classes_KW: Tensor) -> Tensor:
        """Return scores_BK."""
        clips_BW: Tensor = self.project(tokens_ND[: layout.clips])
        return clips_BW @ F.normalize(classes_KW, dim=1).T


class Mlp(Similarity):
    """u . ReLU(A z + C w + a): a network with one hidden layer on the concatenation [z; w].

    The two halves of the first layer are computed once per clip and once per class.
    """

    def __init__(self, width: int, class_dim: int, *, hidden: int) -> None:
        super().__init__()
        self.clip = nn.Linear(width, hidden)
        self.classes = nn.Linear(class_dim, hidden, bias=False)
        # A constant added to all scores of a clip changes neither loss nor ranking: no bias.
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, tokens_ND: Tensor, layout: Layout, classes_KW: Tensor) -> Tensor:
        """Return scores_BK."""
        clips_B1U = self.clip(tokens_ND[: layout.clips]).unsqueeze(1)
        classes_KU = self.classes(unit_entries(classes_KW))
        scores_BK: Tensor = self.score(F.relu(clips_B1U + classes_KU)).squeeze(2)
        return scores_BK


class CrossAttention(Similarity):
    r"""Multi-head attention of the class to the tokens of the clip, then a linear layer.

    In head h the class w weighs the tokens by
    :math:`a_{hs} = softmax_s(Q_h w \cdot K_h x_s / \sqrt{E})` and gathers
    :math:`o_h = \sum_s a_{hs} V_h x_s`. The tokens must be several: with a single one every weight
    is 1, and o would be the same for all classes. ``readout`` says how o becomes a score:

    - ``"attended"``: :math:`\sum_h u_h \cdot o_h`, the literal reading: a linear layer after the
      attention (its output map and the linear layer are one linear map to a number). The class
      acts through the weights alone: it is likely where it finds tokens of high value.
    - ``"product"``: :math:`\sum_h (R_h w + r_h) \cdot o_h / \sqrt{HE}`, where the class also
      says what it wants to find.
    - ``"residual"``: :math:`u \cdot LayerNorm(P w + O o)`, the class query added to what it
      gathered, as in a transformer decoder. Without the normalisation the query would only add
      a constant to each class.
    """

    def __init__(
        self, width: int, class_dim: int, *, heads: int, head_dim: int, readout: Readout
    ) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.query = nn.Linear(class_dim, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.readout: nn.Module
        if readout == "residual":
            self.readout = _ResidualReadout(width, class_dim, inner)
        elif readout == "product":
            self.readout = _ProductReadout(class_dim, inner)
        else:
            self.readout = _AttendedReadout(inner)

    def forward(self, tokens_ND: Tensor, layout: Layout, classes_KW: Tensor) -> Tensor:
        """Return scores_BK."""
        classes_KW = unit_entries(classes_KW)
        k_BHSE, v_BHSE = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in layout.pad(self.key_value(tokens_ND)).chunk(2, dim=2)
        )
        q_HKE = self.query(classes_KW).unflatten(1, (self.heads, -1)).transpose(0, 1)
        attended_BHKE = F.scaled_dot_product_attention(
            q_HKE.expand(layout.clips, -1, -1, -1),
            k_BHSE,
            v_BHSE,
            attn_mask=layout.real_BS[:, None, None, :],
        )
        scores_BK: Tensor = self.readout(attended_BHKE.transpose(1, 2).flatten(2), classes_KW)
        return scores_BK


class _AttendedReadout(nn.Module):
    """Linear, one for all classes; without a bias, which would cancel."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.score = nn.Linear(inner, 1, bias=False)

    def forward(self, attended_BKC: Tensor, classes_KW: Tensor) -> Tensor:
        scores_BK: Tensor = self.score(attended_BKC).squeeze(2)
        return scores_BK


class _ProductReadout(nn.Module):
    """The inner product with a linear map of the class."""

    def __init__(self, class_dim: int, inner: int) -> None:
        super().__init__()
        self.wanted = nn.Linear(class_dim, inner)

    def forward(self, attended_BKC: Tensor, classes_KW: Tensor) -> Tensor:
        wanted_KC = self.wanted(classes_KW) / math.sqrt(attended_BKC.shape[2])
        return torch.einsum("bkc,kc->bk", attended_BKC, wanted_KC)


class _ResidualReadout(nn.Module):
    """The query added to what was gathered, normalised, then linear."""

    def __init__(self, width: int, class_dim: int, inner: int) -> None:
        super().__init__()
        self.out = nn.Linear(inner, width)
        self.query = nn.Linear(class_dim, width, bias=False)
        self.norm = nn.LayerNorm(width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, attended_BKC: Tensor, classes_KW: Tensor) -> Tensor:
        mixed_BKD = self.norm(self.out(attended_BKC) + self.query(classes_KW))
        scores_BK: Tensor = self.score(mixed_BKD).squeeze(2)
        return scores_BK


def unit_entries(classes_KW: Tensor) -> Tensor:
    """Scale each class embedding to a mean square entry of 1.

    A learned map of unit vectors of some hundred dimensions starts out near zero, so that every
    class asks the same of the tokens, and at a learning rate of 1e-4 it stays there for long.
    """
    return F.normalize(classes_KW, dim=1) * math.sqrt(classes_KW.shape[1])
