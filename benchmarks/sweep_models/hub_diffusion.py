"""Backbones of KerasHub that paint, and those for sound and videos."""

import numpy as np
from keras_hub import models
from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder
from keras_hub.src.models.vae.vae_backbone import VAEBackbone

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import indices
from benchmarks.sweep_models.case import normal
from benchmarks.sweep_models.hub_text import SHORT

CASES = Family()


@CASES.case
def whisper():
    """Sound to text."""
    model = models.WhisperBackbone(
        **{**SHORT, "num_mels": 8, "max_encoder_sequence_length": 12}
    )
    data = {
        "encoder_features": normal(2, 12, 8),
        "decoder_token_ids": indices(10, 2, 6),
        "decoder_padding_mask": np.ones((2, 6), "int32"),
    }
    return Made(model, data)


@CASES.case
def moonshine():
    """Raw sound to text."""
    model = models.MoonshineBackbone(
        vocabulary_size=20,
        filter_dim=16,
        encoder_num_layers=2,
        decoder_num_layers=2,
        hidden_dim=16,
        intermediate_dim=32,
        encoder_num_heads=2,
        decoder_num_heads=2,
        feedforward_expansion_factor=2,
    )
    data = {
        "encoder_input_values": normal(2, 4000, 1),
        "decoder_token_ids": indices(20, 2, 6),
        "encoder_padding_mask": np.ones((2, 4000), "bool"),
        "decoder_padding_mask": np.ones((2, 6), "bool"),
    }
    return Made(model, data)


def _vae():
    sizes, ones = [32] * 4, [1] * 4
    return VAEBackbone(sizes, ones, sizes, ones, sampler_method="mode")


@CASES.case
def vae():
    """What diffusion models paint with."""
    return Made(_vae(), normal(1, 32, 32, 3))


@CASES.case
def flux():
    """A diffusion transformer."""
    model = models.FluxBackbone(
        input_channels=8,
        hidden_size=64,
        mlp_ratio=2.0,
        num_heads=4,
        depth=1,
        depth_single_blocks=2,
        axes_dim=[4, 6, 6],
        theta=10_000,
        use_bias=True,
        guidance_embed=True,
        image_shape=(16, 8),
        text_shape=(16, 8),
        image_ids_shape=(16, 3),
        text_ids_shape=(16, 3),
        y_shape=(8,),
    )
    data = {
        "image": normal(1, 16, 8),
        "image_ids": normal(1, 16, 3),
        "text": normal(1, 16, 8),
        "text_ids": normal(1, 16, 3),
        "y": normal(1, 8),
        "timesteps": np.ones(1, "float32"),
        "guidance": np.ones(1, "float32"),
    }
    return Made(model, data)


@CASES.case
def stable_diffusion_3():
    """A diffusion transformer, two text encoders and a VAE."""
    model = models.StableDiffusion3Backbone(
        mmdit_patch_size=2,
        mmdit_hidden_dim=32,
        mmdit_num_layers=2,
        mmdit_num_heads=2,
        mmdit_position_size=192,
        mmdit_qk_norm=None,
        mmdit_dual_attention_indices=None,
        vae=_vae(),
        clip_l=CLIPTextEncoder(20, 32, 32, 2, 2, 64, "quick_gelu", -2, name="clip_l"),
        clip_g=CLIPTextEncoder(20, 64, 64, 2, 2, 128, "gelu", -2, name="clip_g"),
        image_shape=(64, 64, 3),
    )
    tokens = {
        f"clip_{size}_{which}token_ids": indices(20, 1, 5)
        for size in "lg"
        for which in ("", "negative_")
    }
    data = {
        "images": normal(1, 64, 64, 3),
        "latents": normal(1, 8, 8, 16),
        **tokens,
        "num_steps": np.ones(1, "int32"),
        "guidance_scale": np.ones(1, "float32"),
    }
    return Made(model, data)


@CASES.case
def video_prism_with_text():
    """Videos and what they are about."""
    model = models.VideoPrismBackbone(
        image_shape=(28, 28, 3),
        num_frames=4,
        patch_size=4,
        hidden_dim=16,
        intermediate_dim=32,
        num_heads=2,
        num_spatial_layers=1,
        num_temporal_layers=1,
        num_auxiliary_layers=1,
        vocabulary_size=20,
        num_text_layers=1,
        attention_logit_soft_cap=50.0,
    )
    data = {
        "pixel_values": normal(2, 4, 28, 28, 3),
        "token_ids": indices(20, 2, 6),
        "padding_mask": np.ones((2, 6), "int32"),
    }
    return Made(model, data)
