"""One task of each kind of KerasHub, and a layer of one in a plain model."""

import keras
import numpy as np
from keras_hub import layers
from keras_hub import models

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import normal
from benchmarks.sweep_models.hub_around import deeplab_backbone
from benchmarks.sweep_models.hub_around import sam
from benchmarks.sweep_models.hub_around import small_mit
from benchmarks.sweep_models.hub_images import resnet

CASES = Family()


@CASES.case
def image_classifier():
    """Compiled by KerasHub's own defaults, trained for a step."""
    model = models.ImageClassifier(
        backbone=resnet(), num_classes=2, pooling="avg", activation="softmax"
    )
    model.train_on_batch(normal(4, 32, 32, 3), np.array([0, 1, 1, 0]))
    return Made(model, normal(2, 32, 32, 3))


@CASES.case
def vgg_classifier():
    """Dense layers with dropout."""
    backbone = models.VGGBackbone([1, 2], [4, 8], image_shape=(32, 32, 3))
    model = models.VGGImageClassifier(
        backbone=backbone, num_classes=2, pooling="flatten", pooling_hidden_dim=8
    )
    return Made(model, normal(2, 32, 32, 3))


@CASES.case
def image_segmenter():
    """DeepLabV3."""
    backbone = deeplab_backbone(resnet(image_shape=(None, None, 3)))
    model = models.DeepLabV3ImageSegmenter(
        backbone=backbone, num_classes=2, activation="softmax"
    )
    return Made(model, normal(1, 96, 96, 3))


@CASES.case
def segformer_segmenter():
    """SegFormer around MiT."""
    backbone = models.SegFormerBackbone(small_mit(), projection_filters=8)
    model = models.SegFormerImageSegmenter(backbone=backbone, num_classes=4)
    return Made(model, normal(1, 32, 32, 3))


@CASES.case
def object_detector():
    """RetinaNet."""
    from keras_hub.src.models.retinanet.retinanet_label_encoder import (
        RetinaNetLabelEncoder,
    )

    encoder = resnet(image_shape=(None, None, 3), block_type="bottleneck_block")
    backbone = models.RetinaNetBackbone(encoder, min_level=3, max_level=4, use_p5=False)
    anchors = layers.AnchorGenerator(
        bounding_box_format="yxyx",
        min_level=3,
        max_level=4,
        num_scales=3,
        aspect_ratios=[0.5, 1.0, 2.0],
        anchor_size=4,
    )
    encoder = RetinaNetLabelEncoder(anchors, "yxyx")
    model = models.RetinaNetObjectDetector(
        backbone=backbone,
        label_encoder=encoder,
        anchor_generator=anchors,
        num_classes=3,
        bounding_box_format="yxyx",
    )
    return Made(model, parts=lambda m: [(m.backbone, normal(1, 64, 64, 3))])


@CASES.case
def promptable_segmenter():
    """SAM, whose mask decoder has the rectifiers."""
    backbone = sam()
    return Made(models.SAMImageSegmenter(backbone.model), backbone.inputs)


def _opt():
    merges = ["Ġ a", "Ġ t", "a i", "p l", "Ġa t", "ai r", "pl a", "Ġai r"]
    parts = sorted({p for m in merges for p in (*m.split(), m.replace(" ", ""))})
    words = [*parts, "<pad>", "</s>"]
    tokenizer = models.OPTTokenizer(
        vocabulary={word: number for number, word in enumerate(words)}, merges=merges
    )
    preprocessor = models.OPTCausalLMPreprocessor(tokenizer, sequence_length=8)
    backbone = models.OPTBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        max_sequence_length=8,
    )
    return models.OPTCausalLM(backbone, preprocessor)


@CASES.case
def causal_lm():
    """OPT; what it generates is compared."""
    model = _opt()
    model.compile(sampler="greedy", optimizer="adam", loss="mse")
    data = {
        "token_ids": np.arange(8, dtype="int32")[None] % 5,
        "padding_mask": np.ones((1, 8), "int32"),
    }
    return Made(
        model,
        parts=lambda m: [(m.backbone, data)],
        used=lambda m: m.generate(" air", max_length=8),
    )


@CASES.case
def text_classifier():
    """RoformerV2; what it says of a text is compared."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "fox", "."]
    preprocessor = models.RoformerV2TextClassifierPreprocessor(
        models.RoformerV2Tokenizer(vocabulary=words), sequence_length=5
    )
    backbone = models.RoformerV2Backbone(
        vocabulary_size=len(words),
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        head_size=2,
    )
    model = models.RoformerV2TextClassifier(
        backbone=backbone, preprocessor=preprocessor, num_classes=2
    )
    return Made(
        model,
        parts=lambda m: [(m.backbone, _ids(len(words)))],
        used=lambda m: m.predict(["the quick fox.", "the fox"], verbose=0),
    )


def _ids(limit):
    ids = np.random.default_rng(11).integers(0, limit, (2, 5)).astype("int32")
    return {"token_ids": ids, "segment_ids": np.zeros((2, 5), "int32")}


@CASES.case
def sequential_around_a_backbone():
    """A plain Sequential with a backbone inside."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            resnet(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(2),
        ]
    )
    return Made(model)


@CASES.case
def subclassed_around_a_backbone():
    """A subclassed model with a backbone in an attribute."""
    model = WithBackbone()
    model(normal(2, 32, 32, 3))
    return Made(model, normal(2, 32, 32, 3))


@keras.saving.register_keras_serializable("sweep")
class WithBackbone(keras.Model):
    """A backbone, and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = resnet()
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.head = keras.layers.Dense(2)

    def call(self, x, training=False):
        return self.head(self.pool(self.backbone(x, training=training)))
