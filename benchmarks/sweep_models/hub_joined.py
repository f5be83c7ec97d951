"""Backbones of KerasHub that join several models, or several kinds of input."""

import numpy as np
from keras_hub import models
from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder
from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder
from keras_hub.src.models.gemma3n.gemma3n_audio_encoder import Gemma3nAudioEncoder

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import indices
from benchmarks.sweep_models.case import normal

CASES = Family()


@CASES.case
def clip():
    """Two encoders."""
    model = models.CLIPBackbone(
        CLIPVisionEncoder(16, 8, 1, 2, 16, image_shape=(32, 32, 3)),
        CLIPTextEncoder(16, 8, 8, 1, 2, 16, max_sequence_length=6),
        8,
    )
    data = {"images": normal(2, 32, 32, 3), "token_ids": indices(16, 2, 6)}
    return Made(model, data)


@CASES.case
def siglip():
    """Two encoders with one loss."""
    model = models.SigLIPBackbone(
        models.SigLIPVisionEncoder(16, 16, 2, 2, 32, image_shape=(32, 32, 3)),
        models.SigLIPTextEncoder(16, 16, 16, 2, 2, 32, max_sequence_length=6),
    )
    data = {"images": normal(2, 32, 32, 3), "token_ids": indices(16, 2, 6)}
    return Made(model, data)


@CASES.case
def metaclip2():
    """Two encoders, of many languages."""
    model = models.MetaCLIP2Backbone(
        models.MetaCLIP2VisionEncoder(16, 16, 2, 2, 32, image_shape=(32, 32, 3)),
        models.MetaCLIP2TextEncoder(16, 16, 16, 2, 2, 32, max_sequence_length=6),
        projection_dim=16,
    )
    data = {"images": normal(2, 32, 32, 3), "token_ids": indices(16, 2, 6)}
    return Made(model, data)


@CASES.case
def blip2():
    """An image encoder, queries and a language model with ReLU."""
    vision = models.BLIP2VisionEncoder(
        image_size=32,
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        use_patch_bias=True,
        use_class_token=True,
        use_mha_bias=True,
        use_mlp_bias=True,
        dropout_rate=0.0,
        layer_norm_epsilon=1e-6,
        initializer_range=0.02,
    )
    queries = models.BLIP2QFormer(
        num_query_tokens=2,
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        vision_dim=8,
        cross_attention_frequency=1,
        dropout=0.0,
        layer_norm_epsilon=1e-6,
    )
    language = models.BLIP2CustomOPT(
        vocabulary_size=14,
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        num_query_tokens=2,
        qformer_hidden_dim=4,
        max_sequence_length=10,
        dropout=0.0,
        language_projection=None,
    )
    data = {
        "images": normal(2, 32, 32, 3),
        "token_ids": indices(14, 2, 5),
        "padding_mask": np.ones((2, 5), "bool"),
    }
    return Made(models.BLIP2Backbone(vision, queries, language), data)


@CASES.case
def parseq():
    """Text in images."""
    encoder = models.ViTBackbone(
        (32, 128, 3), (4, 8), 2, 2, 64, 256, use_class_token=False
    )
    model = models.PARSeqBackbone(
        image_encoder=encoder,
        vocabulary_size=20,
        max_label_length=6,
        decoder_hidden_dim=64,
        num_decoder_layers=1,
        num_decoder_heads=2,
        decoder_mlp_dim=64,
    )
    data = {
        "images": normal(2, 32, 128, 3),
        "token_ids": indices(20, 2, 6),
        "padding_mask": np.ones((2, 6), "int32"),
    }
    return Made(model, data)


@CASES.case
def pali_gemma():
    """Images before text."""
    model = models.PaliGemmaBackbone(
        vocabulary_size=20,
        image_size=16,
        num_layers=2,
        num_query_heads=2,
        num_key_value_heads=1,
        hidden_dim=8,
        intermediate_dim=16,
        head_dim=4,
        vit_patch_size=4,
        vit_num_layers=2,
        vit_num_heads=2,
        vit_hidden_dim=8,
        vit_intermediate_dim=16,
    )
    data = {
        "token_ids": indices(20, 2, 6),
        "images": normal(2, 16, 16, 3),
        "padding_mask": np.ones((2, 6), "int32"),
        "response_mask": np.zeros((2, 6), "int32"),
    }
    return Made(model, data)


def _gemma(**options):
    return {
        "vocabulary_size": 20,
        "image_size": 16,
        "num_layers": 2,
        "num_query_heads": 2,
        "num_key_value_heads": 1,
        "hidden_dim": 8,
        "intermediate_dim": 16,
        "head_dim": 4,
        "use_sliding_window_attention": True,
        "sliding_window_size": 16,
        **options,
    }


@CASES.case
def gemma3_with_images():
    """Images among the text."""
    encoder = models.Gemma3VisionEncoder(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=8,
    )
    model = models.Gemma3Backbone(
        **_gemma(
            query_head_dim_normalize=True,
            use_query_key_norm=True,
            use_post_ffw_norm=True,
            use_post_attention_norm=True,
            vision_encoder=encoder,
        )
    )
    return Made(model, _text_with_images() | {"images": normal(2, 1, 16, 16, 3)})


def _text_with_images():
    """Twelve tokens, four of them of one image."""
    mask = np.zeros((2, 12), "bool")
    mask[:, 4:8] = True
    return {
        "token_ids": indices(20, 2, 12),
        "padding_mask": np.ones((2, 12), "int32"),
        "vision_mask": mask,
        "vision_indices": np.tile(np.arange(4, 8, dtype="int32"), (2, 1)),
    }


@CASES.case
def gemma4_with_images():
    """Images as patches."""
    encoder = models.Gemma4VisionEncoder(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=2,
        num_heads=2,
        head_dim=4,
        num_key_value_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=8,
    )
    model = models.Gemma4Backbone(**_gemma(vision_encoder=encoder))
    data = _text_with_images() | {
        "pixel_values": normal(2, 1, 16, 48),
        "pixel_position_ids": np.ones((2, 1, 16, 2), "int32"),
        "position_ids": np.tile(np.arange(12, dtype="int32"), (2, 1)),
    }
    return Made(model, data)


@CASES.case
def gemma3n():
    """Text, images and sound."""
    vision = models.MobileNetV5Backbone(
        stackwise_block_types=[["er"]],
        stackwise_num_blocks=[1],
        stackwise_num_filters=[[8]],
        stackwise_strides=[[1]],
        stackwise_act_layers=[["relu"]],
        stackwise_exp_ratios=[[1.0]],
        stackwise_se_ratios=[[0.0]],
        stackwise_dw_kernel_sizes=[[0]],
        stackwise_dw_start_kernel_sizes=[[0]],
        stackwise_dw_end_kernel_sizes=[[0]],
        stackwise_exp_kernel_sizes=[[3]],
        stackwise_pw_kernel_sizes=[[1]],
        stackwise_num_heads=[[0]],
        stackwise_key_dims=[[0]],
        stackwise_value_dims=[[0]],
        stackwise_kv_strides=[[0]],
        stackwise_use_cpe=[[False]],
        num_features=4,
        image_shape=(32, 32, 3),
        use_msfa=False,
    )
    audio = Gemma3nAudioEncoder(
        hidden_size=4,
        input_feat_size=16,
        sscp_conv_channel_size=[2, 4],
        sscp_conv_kernel_size=[(1, 1), (1, 1)],
        sscp_conv_stride_size=[(2, 2), (2, 2)],
        sscp_conv_group_norm_eps=1e-5,
        num_hidden_layers=1,
        rms_norm_eps=1e-6,
        gradient_clipping=1.0,
        residual_weight=0.5,
        num_attention_heads=1,
        attention_chunk_size=2,
        num_attention_context_right=1,
        num_attention_context_left=1,
        attention_logit_cap=50.0,
        conv_kernel_size=3,
        reduction_factor=1,
    )
    model = models.Gemma3nBackbone(
        text_vocab_size=10,
        text_hidden_size=4,
        num_hidden_layers=1,
        pad_token_id=0,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=4,
        intermediate_size=[8],
        hidden_activation="gelu_approximate",
        layer_types=["full_attention"],
        sliding_window=4,
        rope_theta=1e4,
        max_position_embeddings=8,
        vocab_size_per_layer_input=10,
        hidden_size_per_layer_input=2,
        altup_num_inputs=2,
        laurel_rank=1,
        vision_encoder_config=vision.get_config(),
        vision_hidden_size=8,
        audio_encoder_config=audio.get_config(),
        audio_hidden_size=4,
    )
    data = {
        "token_ids": indices(10, 1, 8),
        "padding_mask": np.ones((1, 8), "bool"),
        "images": normal(1, 1, 32, 32, 3),
        "input_features": normal(1, 1, 8, 16),
        "input_features_mask": np.zeros((1, 1, 8), "bool"),
    }
    return Made(model, data)
