r"""The space where TCaF compares clips with classes, and the three losses that shape it.

Mercea et al., "Temporal and Cross-modal Attention for Audio-Visual Zero-Shot Learning", ECCV 2022
(arXiv:2207.09966); ClipClap takes it over. A method makes :math:`\theta_o` of a clip; here are

.. math:: \theta_w = P(w), \quad \rho_o = D_o(\theta_o), \quad \rho_w = D_w(\theta_w)

and, for a clip of class y with the embedding w_y, among the K seen classes,

.. math::
    L = -\log \frac{\exp \theta_o \cdot P(w_y)}{\sum_k \exp \theta_o \cdot P(w_k)}
    + MSE(\theta_o, \theta_{w_y}) + MSE(w_y, \rho_o) + MSE(w_y, \rho_{w_y}).

P in the first term normalises over the K classes, :math:`\theta_{w_y}` in the others over the clips
of the batch, as in the released code. A class is chosen by the distance between :math:`\theta_o`
and :math:`\theta_w`.

Shapes: B clips, K classes, J dimensions of the joint space, W size of a class embedding.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.contrastive import contrastive_alignment
from avzsl.methods.avca_parts import distances
from avzsl.methods.base import MethodOptions
from avzsl.methods.blocks import Count, EmbNet, Share
from avzsl.options import options as options_class


@options_class
class JointOptions(MethodOptions):
    """Options of the joint space; the defaults are those of TCaF for VGGish and C3D on UCF."""

    joint_width: Count = 64
    """Dimensions of the space where clips and classes are compared."""
    joint_hidden: Count = 512
    """Hidden units of the networks that lead a clip there, and on to its class embedding."""
    joint_dropout: Share = 0.1
    """Share of their units zeroed in training."""
    class_dropout: Share = 0.1
    """Share of units zeroed in training in the networks that lead a class there and back."""


class JointSpace(nn.Module):
    """Projection of classes, decoders back to class embeddings, losses and scores."""

    def __init__(self, options: JointOptions, class_dim: int) -> None:
        """Make the networks.

        Args:
            options: Their sizes.
            class_dim: W.
        """
        super().__init__()
        width, drop = options.joint_width, options.class_dropout
        self.classes = EmbNet(class_dim, width, hidden=None, dropout=drop)
        self.class_decoder = EmbNet(width, class_dim, hidden=None, dropout=drop)
        self.clip_decoder = EmbNet(
            width, class_dim, hidden=options.joint_hidden, dropout=options.joint_dropout
        )

    def scores(self, clips_BJ: Tensor, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the Euclidean distances in the joint space."""
        return -distances(clips_BJ, self.classes(classes_KW))

    def losses(
        self, clips_BJ: Tensor, own_BW: Tensor, classes_KW: Tensor, labels_B: Tensor
    ) -> dict[str, Tensor]:
        """Return the three terms of the loss.

        Args:
            clips_BJ: The clips in the joint space.
            own_BW: Embedding of the true class of each clip.
            classes_KW: Embeddings of the seen classes.
            labels_B: Row of the true class in ``classes_KW``.
        """
        own_BJ = self.classes(own_BW)
        decoded = F.mse_loss(self.clip_decoder(clips_BJ), own_BW)
        decoded = decoded + F.mse_loss(self.class_decoder(own_BJ), own_BW)
        logits_BK = clips_BJ @ self.classes(classes_KW).T
        return {
            "classification": contrastive_alignment(logits_BK, labels_B, candidates="all"),
            "alignment": F.mse_loss(clips_BJ, own_BJ),
            "reconstruction": decoded,
        }
