"""Backbones of KerasHub for images, built small with random weights."""

from functools import partial

from keras_hub import models

from benchmarks.sweep_models.case import Case
from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import normal

CASES = Family()


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
def xception():
    """Separable convolutions."""
    return Made(
        models.XceptionBackbone([[4, 4], [8, 8]], [True, False], (64, 64, 3)),
    )


@CASES.case
def swin():
    """A transformer with windows that shift."""
    return Made(
        models.SwinTransformerBackbone(
            image_shape=(32, 32, 3),
            embed_dim=32,
            depths=(2, 2),
            num_heads=(2, 4),
            window_size=4,
        )
    )


@CASES.case
def dinov3():
    """A vision transformer with registers."""
    backbone = models.DINOV3Backbone(
        patch_size=16,
        num_layers=2,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=64,
        layer_scale_init_value=1.0,
        num_register_tokens=4,
        use_gated_mlp=False,
        image_shape=(64, 64, 3),
    )
    return Made(backbone, {"pixel_values": normal(2, 64, 64, 3)})


@CASES.case
def video_prism():
    """A transformer for videos."""
    backbone = models.VideoPrismBackbone(
        image_shape=(28, 28, 3),
        num_frames=4,
        patch_size=4,
        hidden_dim=16,
        intermediate_dim=32,
        num_heads=2,
        num_spatial_layers=1,
        num_temporal_layers=1,
        num_auxiliary_layers=1,
        vocabulary_size=0,
        num_text_layers=0,
    )
    return Made(backbone, normal(2, 4, 28, 28, 3))


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
    return found | CASES
