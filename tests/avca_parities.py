"""How the weights and options of AVCA, Hyper, AVGZSLNet and CJME are those of the released code."""

from method_parity import Parity

LAYER = r"cross_attention\.layers\.(\d+)"
AVCA_RULES = (
    (r"A_enc\.fc", "audio_encoder"),
    (r"V_enc\.fc", "visual_encoder"),
    (rf"{LAYER}\.0\.norm", r"attention.\1.attention_norm"),
    (rf"{LAYER}\.0\.fn\.to_qkv", r"attention.\1.query_key_value"),
    (rf"{LAYER}\.0\.fn\.to_out", r"attention.\1.out"),
    (rf"{LAYER}\.1\.norm", r"attention.\1.feedforward_norm"),
    (rf"{LAYER}\.1\.fn\.net", r"attention.\1.feedforward"),
    (r"A_proj\.fc", "audio_projection"),
    (r"V_proj\.fc", "visual_projection"),
    (r"W_proj\.fc", "class_projection"),
    (r"D\.fc", "decoder"),
    (r"A_rec\.fc", "audio_reconstruction"),
    (r"V_rec\.fc", "visual_reconstruction"),
    ("pos_emb1D", "positions_2C"),
    ("fusenet1", "curvature_map"),
)
NET_RULES = (
    (r"triplet_net\.embedding_net1\.fc", "audio_encoder"),
    (r"triplet_net\.embedding_net2\.fc", "visual_encoder"),
    (r"triplet_net\.embedding_net3\.fc", "class_encoder"),
    (r"decoder_net\.embedding_net\.fc", "decoder"),
    ("attention_model", "gate"),
)
NO_DROPOUT = {"encoder_dropout": 0.0, "projection_dropout": 0.0, "class_dropout": 0.0}
AVCA_DROPOUTS = {"encoder_dropout": 0.2, "projection_dropout": 0.3, "class_dropout": 0.5}
# The released gradient of the positions is compared too, though its optimiser does not use it.
AVCA_SIZES = NO_DROPOUT | {
    "encoder_hidden": 24,
    "projection_hidden": 40,
    "positions": "learned",
    "bn_reprojection": True,
}
HYPER = AVCA_SIZES | {"space": "released", "curvature": 0.01}


def hyper(kind, **options):
    return Parity(
        kind=kind, golden=kind, rules=AVCA_RULES, options=HYPER | options, dropouts=AVCA_DROPOUTS
    )


PARITIES = {
    "avca": Parity(
        kind="avca",
        golden="avca",
        rules=AVCA_RULES,
        options=AVCA_SIZES | {"depth": 2},
        dropouts=AVCA_DROPOUTS,
    ),
    "hyper-alignment": hyper("hyper-alignment"),
    "hyper-single": hyper("hyper-single"),
    "hyper-multiple": hyper("hyper-multiple", curvatures=3),
    "avgzslnet": Parity(
        kind="avgzslnet",
        golden="avgzslnet",
        rules=NET_RULES,
        options={
            "hidden": 24,
            "decoder_hidden": 16,
            "encoder_dropout": 0.0,
            "decoder_dropout": 0.0,
        },
        dropouts={"encoder_dropout": 0.8, "decoder_dropout": 0.5},
    ),
    "cjme": Parity(
        kind="cjme",
        golden="cjme",
        rules=NET_RULES,
        options={"hidden": 24, "dropout": 0.0, "weighing": "means", "entropy_margin": 0.6},
        dropouts={"dropout": 0.2},
    ),
}
