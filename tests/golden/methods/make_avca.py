"""Write the golden files of AVCA, AVGZSLNet, CJME, ALE, SJE, DeViSE and APN.

The released code is ExplainableML/AVCA-GZSL at 2711aeb, run on the CPU in double precision. It
needs torch, torchvision, einops, joblib and scikit-learn:

    python tests/golden/methods/make_avca.py PATH_OF_THE_CLONE
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [sys.argv[1], str(TESTS)]
torch.set_default_dtype(torch.float64)
# Two things of old: a scheduler that took "verbose", and a loss that insists on a GPU.
torch.optim.lr_scheduler.ReduceLROnPlateau = lambda *_, **__: None
torch.Tensor.cuda = lambda self: self

from avca_golden import AUDIO, TEXT, VISUAL, inputs  # noqa: E402
from released import Recorder, dropouts_of, filled, gradients_of, save  # noqa: E402
from src.model_improvements import AVCA  # noqa: E402
from src.utils_improvements import get_model_params  # noqa: E402

from src import loss as losses  # noqa: E402
from src import model as models  # noqa: E402

DATA = inputs()
WORDS = DATA["classes"][DATA["labels"]]
NEGATIVE_WORDS = DATA["classes"][DATA["negative_labels"]]
SEXTUPLE = (
    *(DATA["audio"], DATA["visual"], WORDS),
    *(DATA["negative_audio"], DATA["negative_visual"], NEGATIVE_WORDS),
)
EVERYTHING = (DATA["audio"], DATA["visual"], DATA["classes"])
"""As evaluation calls the networks that take six inputs: all clips, and all classes, twice."""
JOINED = torch.cat([DATA["visual"], DATA["audio"]], 1)
"""As ``train_step`` joins the two modalities for the linear methods."""


def avca():
    def params(encoder, projection, classes):
        return get_model_params(
            1e-3, 1, 1, True, True, encoder, projection, classes, 24, 40, 2, 0.99
        )

    model, layout = filled(AVCA(params(0.0, 0.0, 0.0), AUDIO, VISUAL))
    audio, visual, words, other_audio, other_visual, other_words = SEXTUPLE
    _, visual_BE, classes_KE = model.eval().get_embeddings(audio, visual, DATA["classes"])
    model.train()
    model.triplet_loss = Recorder(model.triplet_loss)
    model.criterion_reg = Recorder(model.criterion_reg)
    model(audio, visual, other_audio, other_visual, words, other_words)
    total, _ = model.backward(False)
    triplets, errors = model.triplet_loss.values, model.criterion_reg.values
    terms = {
        "more_triplets": sum(triplets[:4]),
        "reconstruction_triplets": sum(triplets[4:6]),
        "triplets": sum(triplets[6:]),
        "regularisation": sum(errors[:4]),
        "reconstruction": sum(errors[4:]),
    }
    assert len(triplets) == 10 and len(errors) == 7
    gradients = gradients_of(model, total)
    after_loss = {f"loss.{n}": b.clone() for n, b in model.named_buffers()}
    model.get_embeddings(audio, visual, words)
    after_step = {f"step.{n}": b.clone() for n, b in model.named_buffers()}
    read = ("A_enc", "V_enc", "W_proj", "V_proj")
    trained, _ = filled(AVCA(params(0.0, 0.0, 0.0), AUDIO, VISUAL))
    steps = []
    for _ in range(5):
        step, _ = trained.optimize_params(
            audio, visual, None, words, other_audio, other_visual, other_words, optimize=True
        )
        steps.append(step.item())
        trained.get_embeddings(audio, visual, words)
    _, trained_BE, trained_KE = trained.eval().get_embeddings(audio, visual, DATA["classes"])
    save(
        "avca",
        layout=layout,
        dropouts=dropouts_of(AVCA(params(0.2, 0.3, 0.5), AUDIO, VISUAL)),
        terms=terms,
        total=total,
        scores=-torch.cdist(visual_BE, classes_KE),
        gradients=gradients,
        buffers={n: b for n, b in (after_loss | after_step).items() if n.split(".")[1] in read},
        steps=np.array(steps),
        trained_scores=-torch.cdist(trained_BE, trained_KE).detach().numpy(),
    )


def net_args(**changes):
    values = {
        "input_size": None,
        "input_size_audio": AUDIO,
        "input_size_video": VISUAL,
        "embeddings_hidden_size": 24,
        "decoder_hidden_size": 16,
        "embedding_use_bn": True,
        "decoder_use_bn": True,
        "normalize_decoder_outputs": True,
        "embedding_dropout": 0.0,
        "decoder_dropout": 0.0,
        "dropout_baselines": 0.0,
        "norm_inputs": True,
    }
    return SimpleNamespace(**values | changes)


def avgzslnet():
    model, layout = filled(models.AVGZSLNet(net_args()))
    _, audio_BE, visual_BE, classes_KE, *_ = model.eval()(*EVERYTHING, *EVERYTHING)
    model.train()
    criterion = losses.AVGZSLLoss(margin=1.0, distance_fn=losses.L2Loss())
    total, details = criterion(*model(*SEXTUPLE))
    decoded, encoded = details["cmd"], details["ct"]
    gradients = gradients_of(model, total)
    buffers = {n: b.clone() for n, b in model.named_buffers()}
    save(
        "avgzslnet",
        layout=layout,
        dropouts=dropouts_of(
            models.AVGZSLNet(net_args(embedding_dropout=0.8, decoder_dropout=0.5))
        ),
        terms={
            "triplets": sum(encoded.values()),
            "reconstruction": decoded["l_rec"],
            "reconstruction_triplets": decoded["l_cta"] + decoded["l_ctv"],
        },
        total=total,
        scores=-(torch.cdist(audio_BE, classes_KE) + torch.cdist(visual_BE, classes_KE)),
        gradients=gradients,
        buffers=buffers,
    )


def cjme():
    model, layout = filled(models.CJME(net_args()))
    audio_BE, visual_BE, classes_KE, *_, hard = model.eval()(*EVERYTHING, *EVERYTHING)
    model.train()
    criterion = losses.CJMELoss(margin=1.0, distance_fn=losses.L2Loss())
    # Of the ten clips, some are then surer in audio, some in video, some in neither.
    criterion.epsilon = 0.6
    criterion.loss_mse = Recorder(criterion.loss_mse)
    outputs = model(*SEXTUPLE)
    total, _ = criterion(*outputs, model.get_classes_embedding(DATA["classes"]).detach())
    gate, agreement = criterion.loss_mse.values
    gradients = gradients_of(model, total)
    buffers = {n: b.clone() for n, b in model.named_buffers()}
    assert set(hard.flatten().tolist()) == {0.0, 1.0}
    audio_BK, visual_BK = torch.cdist(audio_BE, classes_KE), torch.cdist(visual_BE, classes_KE)
    save(
        "cjme",
        layout=layout,
        dropouts=dropouts_of(models.CJME(net_args(dropout_baselines=0.2))),
        terms={"triplets": total - gate - agreement, "gate": gate, "agreement": agreement},
        total=total,
        scores=-((1 - hard) * audio_BK + hard * visual_BK),
        gradients=gradients,
        buffers=buffers,
    )


def linear(name, *, norm_inputs, **criterion):
    args = net_args(norm_inputs=norm_inputs)
    model, layout = filled(models.DeviseModel(args))
    products, _, _ = model(JOINED, DATA["classes"])
    total, _ = losses.ClsContrastiveLoss(margin=0.1, **criterion)(products, DATA["labels"])
    gradients = gradients_of(model, total)
    _, projected_BW, classes_KW = model.eval()(JOINED, DATA["classes"])
    save(
        name,
        layout=layout,
        dropouts=dropouts_of(models.DeviseModel(net_args(dropout_baselines=0.2))),
        terms={"ranking": total},
        total=total,
        scores=-torch.cdist(projected_BW, classes_KW),
        gradients=gradients,
    )


def apn():
    model, layout = filled(models.APN(net_args()))
    output, attributes, _, by_layer, _ = model(JOINED, DATA["classes"])
    criterion = losses.APN_Loss()
    criterion.criterion = Recorder(criterion.criterion)
    criterion.criterion_regre = Recorder(criterion.criterion_regre)
    total, _ = criterion(model, output, attributes, by_layer, WORDS, DATA["labels"])
    gradients = gradients_of(model, total)
    save(
        "apn",
        layout=layout,
        dropouts={},
        terms={
            "classification": criterion.criterion.values[0],
            "regression": criterion.criterion_regre.values[0],
            "local_classification": criterion.criterion.values[1],
            "local_regression": criterion.criterion_regre.values[1],
        },
        total=total,
        scores=-torch.cdist(attributes["final"], DATA["classes"]),
        gradients=gradients,
    )


assert TEXT == 300, "the released networks take class embeddings of 300 dimensions"
avca()
avgzslnet()
cjme()
linear("ale", norm_inputs=True, max_violation=False, topk=None, reduction="weighted")
linear("sje", norm_inputs=True, max_violation=True, topk=1, reduction="sum")
linear("devise", norm_inputs=True, max_violation=False, topk=None, reduction="sum")
linear("devise-raw", norm_inputs=False, max_violation=False, topk=None, reduction="sum")
apn()
