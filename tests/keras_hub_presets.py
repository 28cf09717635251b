"""Tiny models of Keras Hub's own classes with random weights, saved as presets."""

import numpy as np

# Byte-pair merges, and with them all bytes: what CLIP's tokenizer needs of a vocabulary.
CLIP_MERGES = ["d o", "do g</w>", "r e", "re d</w>", "a n", "an d</w>"]


def save(name, path):
    """Saves the preset of that name, one of `PRESETS`, to a directory; returns its path, str."""
    import keras

    keras.utils.set_random_seed(3)
    model = PRESETS[name]()
    if not hasattr(model, "prediction_decoder"):
        _spread(model if not hasattr(model, "backbone") else model.backbone)
    model.save_to_preset(str(path))
    for part in ("image_converter", "tokenizer"):
        if hasattr(model, part):
            getattr(model, part).save_to_preset(str(path))
    return str(path)


def _spread(model):
    """Makes random weights large enough for images to differ in what the model says of them."""
    for variable in model.trainable_variables:
        if variable.ndim >= 2 and "position" not in variable.path:
            values = np.random.default_rng(variable.ndim).normal(size=variable.shape)
            fan_in = np.prod(variable.shape[:-1])
            variable.assign(values * 1.4 / np.sqrt(fan_in))


def _with_converter(backbone, converter):
    backbone.image_converter = converter
    return backbone


def resnet():
    """A classifier, whose pixels are scaled by the deviation of each colour."""
    from keras_hub import layers, models

    backbone = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 12],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    converter = layers.ResNetImageConverter(
        image_size=(48, 48), scale=[0.017, 0.018, 0.0175], offset=[-2.1, -2.0, -1.8]
    )
    preprocessor = models.ResNetImageClassifierPreprocessor(converter)
    return models.ResNetImageClassifier(backbone, num_classes=3, preprocessor=preprocessor)


def efficientnet():
    """A backbone that does not say which images it takes: of any size."""
    from keras_hub import layers, models

    backbone = models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0],
        stackwise_depth_coefficients=[1.0],
        stackwise_kernel_sizes=[3],
        stackwise_num_repeats=[1],
        stackwise_input_filters=[8],
        stackwise_output_filters=[8],
        stackwise_expansion_ratios=[1],
        stackwise_strides=[1],
        stackwise_squeeze_and_excite_ratios=[0.25],
        stackwise_block_types=["v1"],
    )
    return _with_converter(backbone, layers.EfficientNetImageConverter(image_size=(40, 40)))


def vit():
    """A classifier of a vision transformer, with a class token."""
    from keras_hub import layers, models

    backbone = models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    converter = layers.ViTImageConverter(image_size=(32, 32), scale=2 / 255, offset=-1.0)
    preprocessor = models.ViTImageClassifierPreprocessor(converter)
    return models.ViTImageClassifier(backbone, num_classes=3, preprocessor=preprocessor)


def dinov2():
    """DINOv2 with register tokens."""
    from keras_hub import layers, models

    backbone = models.DINOV2Backbone(
        patch_size=8,
        num_layers=1,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=32,
        num_register_tokens=3,
        image_shape=(32, 32, 3),
        position_embedding_shape=(32, 32),
    )
    converter = layers.DINOV2ImageConverter(image_size=(32, 32), scale=1 / 255)
    return _with_converter(backbone, converter)


def clip():
    """CLIP, both towers, with its tokenizer."""
    from keras_hub import layers, models

    tokenizer = models.CLIPTokenizer(clip_vocabulary(), CLIP_MERGES, pad_with_end_token=True)
    backbone = models.CLIPBackbone(
        models.CLIPVisionEncoder(
            patch_size=8,
            hidden_dim=16,
            num_layers=2,
            num_heads=2,
            intermediate_dim=32,
            image_shape=(32, 32, 3),
        ),
        models.CLIPTextEncoder(
            vocabulary_size=len(tokenizer.vocabulary),
            embedding_dim=12,
            hidden_dim=12,
            num_layers=2,
            num_heads=2,
            intermediate_dim=24,
            max_sequence_length=16,
        ),
        projection_dim=10,
    )
    backbone.image_converter = layers.CLIPImageConverter(
        image_size=(32, 32), scale=[0.0146, 0.0150, 0.0142], offset=[-1.79, -1.75, -1.48]
    )
    backbone.tokenizer = tokenizer
    return backbone


def clip_vocabulary():
    """The vocabulary of the small CLIP, dict of tokens to ids; its end has the largest id."""
    from keras_hub.src.tokenizers.byte_pair_tokenizer import bytes_to_unicode

    _, letters = bytes_to_unicode()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [merge.replace(" ", "") for merge in CLIP_MERGES]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


def siglip():
    """SigLIP, whose head pools its tokens."""
    from keras_hub import layers, models

    sides = {"hidden_dim": 16, "num_layers": 1, "num_heads": 2, "intermediate_dim": 32}
    backbone = models.SigLIPBackbone(
        models.SigLIPVisionEncoder(patch_size=8, image_shape=(32, 32, 3), **sides),
        models.SigLIPTextEncoder(
            vocabulary_size=20, embedding_dim=16, max_sequence_length=8, **sides
        ),
    )
    converter = layers.SigLIPImageConverter(image_size=(32, 32), scale=2 / 255, offset=-1.0)
    return _with_converter(backbone, converter)


def bert():
    """A text model."""
    from keras_hub import models

    return models.BertBackbone(
        vocabulary_size=20, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8
    )


def retinanet(**converter):
    """A RetinaNet, which sees images with their aspect ratio, in a frame."""
    from keras_hub import layers, models

    pyramid = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 8, 8],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
    )
    backbone = models.RetinaNetBackbone(
        image_encoder=pyramid, min_level=3, max_level=4, use_p5=False, use_fpn_batch_norm=False
    )
    converter = converter or {"crop_to_aspect_ratio": False, "pad_to_aspect_ratio": True}
    converter = layers.RetinaNetImageConverter(image_size=(64, 96), scale=1 / 255, **converter)
    preprocessor = models.RetinaNetObjectDetectorPreprocessor(converter)
    return models.RetinaNetObjectDetector(
        backbone,
        num_classes=2,
        bounding_box_format="xyxy",
        pre_logits_num_conv_layers=1,
        preprocessor=preprocessor,
    )


def d_fine():
    """A D-FINE, which sees images stretched to a square."""
    from keras_hub import layers, models

    trunk = models.HGNetV2Backbone(
        stem_channels=[3, 8, 8],
        stackwise_stage_filters=[
            [8, 8, 16, 1, 1, 3],
            [16, 8, 16, 1, 1, 3],
            [16, 8, 32, 1, 1, 3],
            [32, 8, 32, 1, 1, 3],
        ],
        apply_downsample=[False, True, True, True],
        use_lightweight_conv_block=[False, False, True, True],
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 16, 32, 32],
        embedding_size=8,
        use_learnable_affine_block=True,
        hidden_act="relu",
        image_shape=(64, 64, 3),
        out_features=["stage3", "stage4"],
    )
    backbone = models.DFineBackbone(
        backbone=trunk,
        decoder_in_channels=[16, 16],
        encoder_hidden_dim=16,
        num_denoising=0,
        num_labels=3,
        hidden_dim=16,
        learn_initial_query=False,
        num_queries=10,
        anchor_image_size=(64, 64),
        feat_strides=[16, 32],
        num_feature_levels=2,
        encoder_in_channels=[32, 32],
        encode_proj_layers=[1],
        num_attention_heads=2,
        encoder_ffn_dim=16,
        num_encoder_layers=1,
        hidden_expansion=0.34,
        depth_multiplier=0.5,
        eval_idx=-1,
        num_decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        decoder_n_points=[2, 2],
        lqe_hidden_dim=8,
        num_lqe_layers=1,
        out_features=["stage3", "stage4"],
        image_shape=(64, 64, 3),
    )
    converter = layers.DFineImageConverter(
        image_size=(64, 64), scale=1 / 255, crop_to_aspect_ratio=False
    )
    preprocessor = models.DFineObjectDetectorPreprocessor(converter)
    return models.DFineObjectDetector(
        backbone, num_classes=3, bounding_box_format="yxyx", preprocessor=preprocessor
    )


PRESETS = {
    make.__name__: make
    for make in (resnet, efficientnet, vit, dinov2, clip, siglip, bert, retinanet, d_fine)
}
