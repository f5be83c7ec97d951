"""Backbones of KerasHub that look for things in images, around other backbones."""

import numpy as np
from keras_hub import layers
from keras_hub import models

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import indices
from benchmarks.sweep_models.case import normal
from benchmarks.sweep_models.hub_images import hgnetv2
from benchmarks.sweep_models.hub_images import resnet

CASES = Family()


def small_mit():
    """A small MiT."""
    return models.MiTBackbone(
        layerwise_depths=[1, 2],
        image_shape=(32, 32, 3),
        hidden_dims=[4, 8],
        num_layers=2,
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[8, 4],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
    )


def deeplab_backbone(encoder):
    """A DeepLabV3 around an encoder."""
    return models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P4",
        dilation_rates=[2, 4],
        upsampling_size=4,
        projection_filters=8,
        image_shape=(96, 96, 3),
    )


@CASES.case
def deeplab():
    """A spatial pyramid around a ResNet."""
    return Made(deeplab_backbone(resnet(image_shape=(None, None, 3))))


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
    return Made(small_mit())


@CASES.case
def segformer():
    """Around MiT."""
    return Made(models.SegFormerBackbone(small_mit(), projection_filters=8))


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
def sam3():
    """Things named by words, found and cut out."""
    small = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 32, "num_heads": 2}
    image = {"image_shape": (28, 28, 3), "patch_size": 14}
    backbone = models.SAM3PromptableConceptBackbone(
        vision_encoder=layers.SAM3VisionEncoder(
            fpn_hidden_dim=16,
            fpn_scale_factors=[4.0, 2.0, 1.0, 0.5],
            pretrain_image_shape=(42, 42, 3),
            window_size=2,
            global_attn_indexes=[1, 2],
            **image,
            **small,
        ),
        text_encoder=layers.SAM3TextEncoder(
            vocabulary_size=32, embedding_dim=16, **small
        ),
        geometry_encoder=layers.SAM3GeometryEncoder(roi_size=7, **small),
        detr_encoder=layers.SAM3DetrEncoder(**small),
        detr_decoder=layers.SAM3DetrDecoder(num_queries=8, **image, **small),
        mask_decoder=layers.SAM3MaskDecoder(
            num_upsampling_stages=3, hidden_dim=16, num_heads=2
        ),
    )
    data = {
        "pixel_values": normal(2, 28, 28, 3),
        "token_ids": indices(32, 2, 32),
        "padding_mask": np.ones((2, 32), "bool"),
        "boxes": np.ones((2, 1, 5), "float32"),
        "box_labels": np.ones((2, 1), "int32"),
    }
    return Made(backbone, data)
