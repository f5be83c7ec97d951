"""Backbones of KerasHub that take tokens, built small with random weights."""

from functools import partial

import numpy as np
from keras_hub import models

from benchmarks.sweep_models.case import Case
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import indices

_TEXT = {
    "vocabulary_size": 10,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 4,
    "intermediate_dim": 8,
}
SHORT = {**_TEXT, "max_sequence_length": 6}
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
    "OPTBackbone": (SHORT, "tp"),
    "RoformerV2Backbone": ({**_TEXT, "head_size": 2}, "ts"),
    "T5Backbone": ({**_TEXT, "use_gated_activation": False}, "ed"),
    "AlbertBackbone": ({**SHORT, "embedding_dim": 8}, "tsp"),
    "BartBackbone": (SHORT, "ed"),
    "BertBackbone": (SHORT, "tsp"),
    "BloomBackbone": (_TEXT, "tp"),
    "DebertaV3Backbone": (SHORT, "tp"),
    "DistilBertBackbone": (SHORT, "tp"),
    "ElectraBackbone": (
        {
            "vocab_size": 10,
            "embedding_dim": 4,
            **{key: value for key, value in SHORT.items() if key[0] != "v"},
        },
        "tsp",
    ),
    "ESMBackbone": (_TEXT, "t"),
    "FNetBackbone": (
        {key: value for key, value in SHORT.items() if key != "num_heads"},
        "ts",
    ),
    "FalconBackbone": (
        {
            "num_attention_heads": 2,
            **{key: value for key, value in _TEXT.items() if key != "num_heads"},
        },
        "tp",
    ),
    "GPT2Backbone": (SHORT, "tp"),
    "GPTNeoXBackbone": (SHORT, "tp"),
    "GemmaBackbone": ({**_GROUPED, "head_dim": 4}, "tp"),
    "GptOssBackbone": ({**_EXPERTS, "sliding_window": 2}, "tp"),
    "Llama3Backbone": (_GROUPED, "tp"),
    "LlamaBackbone": (_GROUPED, "tp"),
    "MistralBackbone": ({**_GROUPED, "sliding_window": 2}, "tp"),
    "MixtralBackbone": (_EXPERTS, "tp"),
    "Phi3Backbone": (_GROUPED, "tp"),
    "QwenBackbone": (_GROUPED, "tp"),
    "Qwen3Backbone": ({**_GROUPED, "head_dim": 4}, "tp"),
    "RobertaBackbone": (SHORT, "tp"),
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
    "XLMRobertaBackbone": (SHORT, "tp"),
    "XLNetBackbone": (
        {key: value for key, value in _TEXT.items() if key != "x"},
        "txs",
    ),
}
_DEEP = {  # three of Qwen 3.5's layers of one kind, and one of the other
    **_GROUPED,
    "num_layers": 4,
    "head_dim": 8,
    "hidden_dim": 16,
    "layer_types": [*["linear_attention"] * 3, "full_attention"],
    "partial_rotary_factor": 0.25,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
    "linear_conv_kernel_dim": 4,
}
_MIXED = {
    **_GROUPED,
    "moe_intermediate_dim": 16,
    "num_experts": 4,
    "top_k": 2,
    "norm_top_k_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
_TWO_STACKS = {
    "vocabulary_size": 10,
    "dropout_rate": 0.1,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "query_pre_attn_scalar": 1.0,
    "attention_bias": False,
    "hidden_activation": "relu",
    "sliding_window": 4,
    "cross_attention_hidden_size": 16,
    "attn_logit_softcapping": 50.0,
    "rope_max_wavelength": 1e4,
    "initializer_range": 0.04,
    "attention_dropout": 0.1,
    **{
        f"{stack}_{key}": value
        for stack in ("encoder", "decoder")
        for key, value in {
            "hidden_dim": 16,
            "intermediate_dim": 32,
            "num_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 4,
            "layer_types": ["sliding_attention", "full_attention"],
        }.items()
    },
}
_READERS |= {
    "EdRecBackbone": (
        {
            "vocab_size": 10,
            "num_layers_enc": 2,
            "num_layers_dec": 2,
            "num_heads": 2,
            "hidden_dim": 4,
            "intermediate_dim": 8,
            "dropout": 0.0,
        },
        "ed",
    ),
    "QwenMoeBackbone": (
        {
            **_MIXED,
            "shared_expert_intermediate_dim": 16,
            "layer_norm_epsilon": 1e-6,
        },
        "tp",
    ),
    "Qwen3MoeBackbone": ({**_MIXED, "head_dim": 4}, "tp"),
    "Qwen3_5Backbone": (_DEEP, "tp"),
    "Qwen3_5MoeBackbone": (
        {
            **{key: value for key, value in _DEEP.items() if key[:5] != "inter"},
            "moe_intermediate_dim": 8,
            "shared_expert_intermediate_size": 8,
            "num_experts": 4,
            "top_k": 2,
        },
        "tp",
    ),
    "RWKV7Backbone": (
        {
            "vocabulary_size": 10,
            "hidden_size": 16,
            "num_layers": 2,
            "head_size": 4,
            "intermediate_dim": 32,
            "gate_lora": 32,
            "mv_lora": 16,
            "aaa_lora": 16,
            "decay_lora": 16,
        },
        "long",
    ),
    "T5GemmaBackbone": (_TWO_STACKS, "ed"),
    "T5Gemma2Backbone": ({**_TWO_STACKS, "use_query_key_norm": True}, "ed"),
    "Gemma3Backbone": (
        {
            **_GROUPED,
            "image_size": 16,
            "head_dim": 4,
            "query_head_dim_normalize": True,
            "use_query_key_norm": True,
            "use_post_ffw_norm": True,
            "use_post_attention_norm": True,
            "use_sliding_window_attention": True,
            "sliding_window_size": 4,
            "vision_encoder": None,
        },
        "tp",
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
    if letters == "long":  # RWKV takes lengths of whole chunks
        ones = np.ones((2, 16), "int32")
        return {"token_ids": indices(10, 2, 16), "padding_mask": ones}
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


def cases() -> dict[str, Case]:
    """Every case by name."""
    return {name: Case(name, partial(_reader, name)) for name in _READERS}
