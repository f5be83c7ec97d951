"""Backbones and tasks of KerasHub, built small with random weights."""

from functools import partial

import keras_hub
import numpy as np
from keras_hub import layers
from keras_hub import models

from benchmarks.sweep_models import hub_tasks
from benchmarks.sweep_models.case import Case
from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import indices
from benchmarks.sweep_models.case import normal

CASES = Family()

_TEXT = {
    "vocabulary_size": 10,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 4,
    "intermediate_dim": 8,
}
_SHORT = {**_TEXT, "max_sequence_length": 6}
_GROUPED = {
    "vocabulary_size": 10,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
}
_EXPERTS = {**_GROUPED, "num_experts": 2, "top_k": 2}

#: Backbones that take tokens: class, arguments, names of inputs.
_READERS = {
    "OPTBackbone": (_SHORT, "tp"),
    "RoformerV2Backbone": ({**_TEXT, "head_size": 2}, "ts"),
    "T5Backbone": ({**_TEXT, "use_gated_activation": False}, "ed"),
    "AlbertBackbone": ({**_SHORT, "embedding_dim": 8}, "tsp"),
    "BartBackbone": (_SHORT, "ed"),
    "BertBackbone": (_SHORT, "tsp"),
    "BloomBackbone": (_TEXT, "tp"),
    "DebertaV3Backbone": (_SHORT, "tp"),
    "DistilBertBackbone": (_SHORT, "tp"),
    "ElectraBackbone": (
        {
            "vocab_size": 10,
            "embedding_dim": 4,
            **{key: value for key, value in _SHORT.items() if key[0] != "v"},
        },
        "tsp",
    ),
    "ESMBackbone": (_TEXT, "t"),
    "FNetBackbone": (
        {key: value for key, value in _SHORT.items() if key != "num_heads"},
        "ts",
    ),
    "FalconBackbone": (
        {
            "num_attention_heads": 2,
            **{key: value for key, value in _TEXT.items() if key != "num_heads"},
        },
        "tp",
    ),
    "GPT2Backbone": (_SHORT, "tp"),
    "GPTNeoXBackbone": (_SHORT, "tp"),
    "GemmaBackbone": ({**_GROUPED, "head_dim": 4}, "tp"),
    "GptOssBackbone": ({**_EXPERTS, "sliding_window": 2}, "tp"),
    "Llama3Backbone": (_GROUPED, "tp"),
    "LlamaBackbone": (_GROUPED, "tp"),
    "MistralBackbone": ({**_GROUPED, "sliding_window": 2}, "tp"),
    "MixtralBackbone": (_EXPERTS, "tp"),
    "Phi3Backbone": (_GROUPED, "tp"),
    "QwenBackbone": (_GROUPED, "tp"),
    "Qwen3Backbone": ({**_GROUPED, "head_dim": 4}, "tp"),
    "RobertaBackbone": (_SHORT, "tp"),
    "SmolLM3Backbone": (
        {
            "layer_types": ["attention", "attention"],
            "no_rope_layers": [True, True],
            "mlp_bias": False,
            "layer_norm_epsilon": 1e-5,
            "rope_layer_enabled_list": [True, True],
            "num_attention_heads": 4,
            "max_position_embeddings": 16,
            "rope_theta": 1e4,
            "partial_rotary_factor": 1.0,
            "attention_bias": False,
            "attention_dropout": 0.0,
            **{key: value for key, value in _GROUPED.items() if key[:9] != "num_query"},
        },
        "tp",
    ),
    "XLMRobertaBackbone": (_SHORT, "tp"),
    "XLNetBackbone": (
        {key: value for key, value in _TEXT.items() if key != "x"},
        "txs",
    ),
}
_LETTERS = {
    "t": ("token_ids",),
    "s": ("segment_ids",),
    "p": ("padding_mask",),
    "x": ("padding_mask",),
    "e": ("encoder_token_ids", "encoder_padding_mask"),
    "d": ("decoder_token_ids", "decoder_padding_mask"),
}


def _tokens(letters):
    names = [name for letter in letters for name in _LETTERS[letter]]
    made = {name: indices(10, 2, 6) for name in names}
    ones = np.ones((2, 6), "int32")
    kinds = ("mask", "segment")
    return {
        name: ones * ("mask" in name) if any(k in name for k in kinds) else value
        for name, value in made.items()
    }


def _reader(name):
    arguments, letters = _READERS[name]
    return Made(getattr(models, name)(**arguments), _tokens(letters))


def resnet(**options):
    """A small ResNet.

    Args:
        **options: Arguments that differ.
    """
    arguments = {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 64, 64],
        "stackwise_num_blocks": [1, 2, 1],
        "stackwise_num_strides": [1, 2, 2],
        "block_type": "basic_block",
        "image_shape": (32, 32, 3),
        **options,
    }
    return models.ResNetBackbone(**arguments)


_VD = {"input_conv_filters": [32, 32, 64], "input_conv_kernel_sizes": [3, 3, 3]}
_RESNETS = {
    "resnet": {},
    "resnet_bottleneck": {"block_type": "bottleneck_block"},
    "resnet_v2": {"use_pre_activation": True},
    "resnet_v2_bottleneck": {
        "block_type": "bottleneck_block",
        "use_pre_activation": True,
    },
    "resnet_vd": {"block_type": "basic_block_vd", **_VD},
    "resnet_vd_bottleneck": {"block_type": "bottleneck_block_vd", **_VD},
    "resnet_open_size": {"image_shape": (None, None, 3)},
    "resnet_mixed_precision": {"dtype": "mixed_float16"},
}


def _resnet(options):
    return Made(resnet(**options), normal(2, 32, 32, 3))


@CASES.case
def vgg():
    """Convolutions with fused ReLU."""
    return Made(
        models.VGGBackbone([1, 2], [4, 8], image_shape=(32, 32, 3)),
    )


@CASES.case
def densenet():
    """Concatenations."""
    return Made(models.DenseNetBackbone([1, 2, 1], (32, 32, 3), growth_rate=4))


def mobilenet(activation="relu", **options):
    """A MobileNet with squeeze-and-excite.

    Args:
        activation: That of all blocks.
        **options: Arguments that differ.
    """
    arguments = {
        "stackwise_expansion": [[8], [16, 16]],
        "stackwise_num_blocks": [1, 2],
        "stackwise_num_filters": [[8], [8, 8]],
        "stackwise_kernel_size": [[3], [5, 5]],
        "stackwise_num_strides": [[2], [2, 1]],
        "stackwise_se_ratio": [[None], [0.25, 0.25]],
        "stackwise_activation": [[activation], [activation, activation], [activation]],
        "stackwise_padding": [[1], [2, 2]],
        "output_num_filters": 16,
        "input_activation": activation,
        "output_activation": activation,
        "input_num_filters": 8,
        "image_shape": (32, 32, 3),
        "depthwise_filters": 8,
        "depthwise_stride": 2,
        "depthwise_residual": False,
        "squeeze_and_excite": 0.5,
        "last_layer_filter": 16,
        **options,
    }
    return models.MobileNetBackbone(**arguments)


@CASES.case
def mobilenet_relu6():
    """As MobileNet v2."""
    return Made(mobilenet("relu6"))


@CASES.case
def mobilenet_v3():
    """ReLU and hard swish."""
    acts = [["relu"], ["hard_swish", "relu"], ["hard_swish"]]
    return Made(mobilenet("hard_swish", stackwise_activation=acts))


@CASES.case
def mobilenet_v5():
    """Blocks in classes."""
    return Made(
        models.MobileNetV5Backbone(
            stackwise_block_types=[["er"], ["uir", "uir"]],
            stackwise_num_blocks=[1, 2],
            stackwise_num_filters=[[8], [8, 8]],
            stackwise_strides=[[2], [2, 1]],
            stackwise_act_layers=[["relu"], ["relu", "relu"]],
            stackwise_exp_ratios=[[2.0], [2.0, 2.0]],
            stackwise_se_ratios=[[0.0], [0.0, 0.0]],
            stackwise_dw_kernel_sizes=[[0], [5, 5]],
            stackwise_dw_start_kernel_sizes=[[0], [0, 0]],
            stackwise_dw_end_kernel_sizes=[[0], [0, 0]],
            stackwise_exp_kernel_sizes=[[3], [0, 0]],
            stackwise_pw_kernel_sizes=[[1], [0, 0]],
            stackwise_num_heads=[[0], [0, 0]],
            stackwise_key_dims=[[0], [0, 0]],
            stackwise_value_dims=[[0], [0, 0]],
            stackwise_kv_strides=[[0], [0, 0]],
            stackwise_use_cpe=[[False], [False, False]],
            image_shape=(32, 32, 3),
            stem_size=8,
            use_msfa=False,
        )
    )


def hgnetv2(**options):
    """A small HGNetV2.

    Args:
        **options: Arguments that differ.
    """
    arguments = {
        "stem_channels": [3, 8, 8],
        "stackwise_stage_filters": [[8, 8, 16, 1, 1, 3], [16, 8, 32, 1, 1, 3]],
        "apply_downsample": [False, True],
        "use_lightweight_conv_block": [False, True],
        "depths": [1, 1],
        "hidden_sizes": [16, 32],
        "embedding_size": 8,
        "use_learnable_affine_block": False,
        "hidden_act": "relu",
        "image_shape": (32, 32, 3),
        **options,
    }
    return models.HGNetV2Backbone(**arguments)


@CASES.case
def hgnet():
    """Custom layers in the graph."""
    return Made(hgnetv2(), normal(2, 32, 32, 3))


@CASES.case
def hgnet_affine():
    """With learnable affine blocks, and several outputs."""
    return Made(
        hgnetv2(use_learnable_affine_block=True, out_features=["stem", "stage2"]),
        normal(2, 32, 32, 3),
    )


def _cspnet(block_type, stage_type, activation):
    return Made(
        models.CSPNetBackbone(
            stem_filters=8,
            stem_kernel_size=3,
            stem_strides=1,
            stackwise_strides=2,
            stackwise_depth=[1, 1],
            stackwise_num_filters=[8, 16],
            image_shape=(32, 32, 3),
            bottle_ratio=(1.0,) if stage_type == "dark" else (0.5, 1.0),
            block_ratio=(1.0,) if stage_type == "dark" else (1.0, 0.5),
            expand_ratio=(1.0,) if stage_type == "dark" else (2.0, 1.0),
            block_type=block_type,
            stage_type=stage_type,
            stem_padding="same",
            activation=activation,
        )
    )


@CASES.case
def deeplab():
    """A spatial pyramid around a ResNet."""
    return Made(hub_tasks.deeplab_backbone(resnet(image_shape=(None, None, 3))))


@CASES.case
def retinanet():
    """A feature pyramid around a ResNet."""
    encoder = resnet(image_shape=(None, None, 3), block_type="bottleneck_block")
    backbone = models.RetinaNetBackbone(
        encoder, min_level=3, max_level=4, use_p5=False, image_shape=(64, 64, 3)
    )
    return Made(backbone)


@CASES.case
def basnet():
    """A ResNet inside, and a refinement."""
    encoder = models.ResNetBackbone(
        [64], [7], [64, 128, 256, 512], [1] * 4, [1, 2, 2, 2], "basic_block"
    )
    return Made(models.BASNetBackbone(encoder, 1), normal(1, 64, 64, 3))


@CASES.case
def mit():
    """A transformer for images."""
    return Made(hub_tasks.mit())


@CASES.case
def segformer():
    """Around MiT."""
    return Made(models.SegFormerBackbone(hub_tasks.mit(), projection_filters=8))


@CASES.case
def sam():
    """Three encoders and decoders."""
    size = 128
    backbone = models.SAMBackbone(
        image_encoder=_vit_det(size),
        prompt_encoder=layers.SAMPromptEncoder(
            hidden_size=16,
            image_embedding_size=(8, 8),
            input_image_size=(size, size),
            mask_in_channels=16,
        ),
        mask_decoder=layers.SAMMaskDecoder(
            num_layers=2,
            hidden_size=16,
            intermediate_dim=32,
            num_heads=4,
            embedding_dim=16,
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=16,
        ),
    )
    data = {
        "images": normal(2, size, size, 3),
        "points": np.ones((2, 1, 2), "float32"),
        "labels": np.ones((2, 1), "float32"),
        "boxes": np.ones((2, 1, 2, 2), "float32"),
        "masks": np.ones((2, 0, 32, 32, 1), "float32"),
    }
    return Made(backbone, data)


def _vit_det(size):
    return models.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=4,
        global_attention_layer_indices=[1],
        patch_size=16,
        num_output_channels=16,
        window_size=2,
        image_shape=(size, size, 3),
    )


@CASES.case
def vit_det():
    """The encoder of SAM."""
    return Made(_vit_det(32))


@CASES.case
def xception():
    """Separable convolutions."""
    return Made(
        models.XceptionBackbone([[4, 4], [8, 8]], [True, False], (64, 64, 3)),
    )


@CASES.case
def d_fine():
    """A detector around HGNetV2."""
    inner = hgnetv2(
        use_lightweight_conv_block=[False, False],
        use_learnable_affine_block=True,
        image_shape=(None, None, 3),
        out_features=["stage1", "stage2"],
    )
    backbone = models.DFineBackbone(
        backbone=inner,
        decoder_in_channels=[16, 16],
        encoder_hidden_dim=16,
        num_denoising=10,
        num_labels=4,
        hidden_dim=16,
        learn_initial_query=False,
        num_queries=10,
        anchor_image_size=(32, 32),
        feat_strides=[4, 8],
        num_feature_levels=2,
        encoder_in_channels=[16, 32],
        encode_proj_layers=[1],
        num_attention_heads=2,
        encoder_ffn_dim=32,
        num_encoder_layers=1,
        hidden_expansion=0.5,
        depth_multiplier=0.5,
        eval_idx=-1,
        num_decoder_layers=3,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        decoder_n_points=[2, 2],
        lqe_hidden_dim=16,
        num_lqe_layers=2,
        out_features=["stage1", "stage2"],
        image_shape=(None, None, 3),
        seed=0,
    )
    return Made(backbone, normal(2, 32, 32, 3))


@CASES.case
def depth_anything():
    """A decoder around DINOv2."""
    encoder = models.DINOV2Backbone(
        14, 4, 16, 2, 64, 1.0, 0, image_shape=(126, 126, 3), apply_layernorm=True
    )
    backbone = models.DepthAnythingBackbone(
        encoder, [4, 2, 1, 0.5], [4, 8, 8, 16], 16, 8, -1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    return Made(backbone, normal(1, 126, 126, 3))


@CASES.case
def vit():
    """A vision transformer."""
    return Made(models.ViTBackbone((28, 28, 3), 4, 2, 2, 12, 24))


@CASES.case
def deit():
    """A vision transformer with a second token."""
    return Made(models.DeiTBackbone((28, 28, 3), 4, 2, 2, 12, 24))


@CASES.case
def efficientnet():
    """Swish."""
    return Made(
        models.EfficientNetBackbone(
            stackwise_width_coefficients=[1.0] * 2,
            stackwise_depth_coefficients=[1.0] * 2,
            stackwise_kernel_sizes=[3, 3],
            stackwise_num_repeats=[1, 1],
            stackwise_input_filters=[8, 8],
            stackwise_output_filters=[8, 16],
            stackwise_expansion_ratios=[1, 4],
            stackwise_squeeze_and_excite_ratios=[0.0, 0.25],
            stackwise_strides=[1, 2],
            stackwise_block_types=["fused", "unfused"],
            stackwise_force_input_filters=[0, 0],
            stackwise_nores_option=[False, False],
            image_shape=(32, 32, 3),
        )
    )


@CASES.case
def clip():
    """Two encoders."""
    vision = models.CLIPBackbone
    from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder
    from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder

    model = vision(
        CLIPVisionEncoder(16, 8, 1, 2, 16, image_shape=(32, 32, 3)),
        CLIPTextEncoder(16, 8, 8, 1, 2, 16, max_sequence_length=6),
        8,
    )
    data = {"images": normal(2, 32, 32, 3), "token_ids": indices(16, 2, 6)}
    return Made(model, data)


@CASES.case
def whisper():
    """Sound to text."""
    model = models.WhisperBackbone(
        **{**_SHORT, "num_mels": 8, "max_encoder_sequence_length": 12}
    )
    data = {
        "encoder_features": normal(2, 12, 8),
        "decoder_token_ids": indices(10, 2, 6),
        "decoder_padding_mask": np.ones((2, 6), "int32"),
    }
    return Made(model, data)


def cases() -> dict[str, Case]:
    """Every case by name: those with ReLU first."""
    found = {
        name: Case(name, partial(_resnet, options))
        for name, options in _RESNETS.items()
    }
    for block in ("dark_block", "edge_block", "bottleneck_block"):
        for stage in ("csp", "dark", "cs3"):
            for activation in ("leaky_relu", "relu"):
                name = f"cspnet_{block}_{stage}_{activation}"
                make = partial(_cspnet, block, stage, activation)
                found[name] = Case(name, make)
    found |= CASES | hub_tasks.CASES
    found |= {name: Case(name, partial(_reader, name)) for name in _READERS}
    return found


def custom_objects() -> dict[str, type]:
    """None: KerasHub registers its classes."""
    assert keras_hub.__version__  # noqa: S101 - it was imported, so they are registered
    return {}
