"""Write the golden files of Hyper-alignment, Hyper-single and Hyper-multiple.

The released code is JHome1/Hyper-AVZSL at 8460954, run on the CPU in double precision. It needs
torch, torchvision, einops, joblib, scikit-learn and scipy:

    python tests/golden/methods/make_hyper.py PATH_OF_THE_CLONE/Hyper-AVZSL-online
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [sys.argv[1], str(TESTS)]
torch.set_default_dtype(torch.float64)
# A scheduler that took "verbose".
torch.optim.lr_scheduler.ReduceLROnPlateau = lambda *_, **__: None

from avca_golden import AUDIO, VISUAL, inputs  # noqa: E402
from released import Recorder, dropouts_of, filled, gradients_of, save  # noqa: E402
from src.model_improvements import Hyper_AVCA  # noqa: E402
from src.utils_improvements import get_model_params  # noqa: E402

DATA = inputs()


def make(framework, count, encoder=0.0, projection=0.0, classes=0.0):
    params = get_model_params(1e-3, 1, 1, True, True, encoder, projection, classes, 24, 40, 1, 0.99)
    args = SimpleNamespace(hyper_framework=framework, curvature=0.01, num_curvature=count)
    return Hyper_AVCA(params, AUDIO, VISUAL, args)


def run(name, framework, count):
    model, layout = filled(make(framework, count))
    _, visual_BE, classes_KE = model.eval().get_embeddings(
        DATA["audio"], DATA["visual"], DATA["classes"]
    )
    model.train()
    model.align_loss = Recorder(model.align_loss)
    words = DATA["classes"][DATA["labels"]]
    other_words = DATA["classes"][DATA["negative_labels"]]
    model(
        *(DATA["audio"], DATA["visual"], DATA["negative_audio"], DATA["negative_visual"]),
        *(words, other_words),
    )
    total, _ = model.backward(False)
    alignment = 1e-3 * sum(model.align_loss.values) / max(count, 1)
    gradients = gradients_of(model, total)
    save(
        name,
        layout=layout,
        dropouts=dropouts_of(make(framework, count, 0.2, 0.3, 0.5)),
        terms={"alignment": alignment},
        total=total,
        scores=-torch.cdist(visual_BE, classes_KE),
        gradients=gradients,
    )


run("hyper-alignment", "Hyper-alignment", 0)
run("hyper-single", "Hyper-single", 1)
run("hyper-multiple", "Hyper-multiple", 3)
