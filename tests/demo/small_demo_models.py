"""SavedModels with the signatures of ours, whose answers are easily said."""

import tensorflow as tf

# Normalised ymin, xmin, ymax, xmax; the first is the whole frame.
BOXES = ((0.0, 0.0, 1.0, 1.0), (0.25, 0.0, 0.75, 0.5), (0.5, 0.5, 1.0, 1.0))
# Refused wherever it is asked about.
REFUSED_WORD = "impossible"
HTML = "<b>bold</b><img src=x onerror='document.title=1'>"
_IMAGES = tf.TensorSpec([None], tf.string, "image_bytes")


def _texts(name):
    return tf.TensorSpec([None], tf.string, name)


def _boxes(texts, order):
    boxes = tf.gather(tf.constant(BOXES), order)
    return tf.tile(boxes[None], [tf.size(texts), 1, 1])


class _Alignment(tf.Module):
    """Gives word n of a sentence to box n modulo 3."""

    @tf.function(input_signature=[_IMAGES, _texts("sentences")])
    def align(self, image_bytes, sentences):
        check = tf.debugging.Assert(
            ~tf.reduce_any(tf.strings.regex_full_match(sentences, f".*{REFUSED_WORD}.*")),
            ["Expected a possible sentence"],
        )
        with tf.control_dependencies([check]):
            words = tf.strings.split(sentences).to_tensor()
        numbers = tf.tile(tf.range(tf.shape(words)[1])[None], [tf.size(sentences), 1])
        sizes = tf.map_fn(tf.strings.length, image_bytes, fn_output_signature=tf.int32)
        return {
            "score": tf.cast(sizes > 0, tf.float32),
            "boxes": _boxes(sentences, [0, 1, 2]),
            "snippets": words,
            "snippet_boxes": tf.gather(tf.constant(BOXES), numbers % 3),
            "snippet_scores": tf.cast(numbers, tf.float32),
            "num_snippets": tf.reduce_sum(tf.cast(words != "", tf.int32), axis=1),
        }

    @tf.function(input_signature=[_IMAGES, _texts("phrases")])
    def localize(self, image_bytes, phrases):
        return {
            "boxes": _boxes(phrases, [2, 1, 0]),
            "scores": tf.tile([[3.0, 2.0, 1.0]], [tf.size(phrases), 1]),
            "num_boxes": tf.fill([tf.size(phrases)], 3),
        }

    @tf.function(input_signature=[_texts("sentences")])
    def embed_sentence(self, sentences):
        """A vector of length 1: red or not."""
        is_red = tf.strings.regex_full_match(sentences, ".*red.*")
        is_german = tf.strings.regex_full_match(sentences, ".*Hund.*")
        return {
            "embedding": tf.one_hot(tf.cast(is_red, tf.int32), 2),
            "unknown_words": tf.where(is_german, "hund", "")[:, None],
            "num_known_words": tf.cast(is_red, tf.int32) + tf.cast(~is_german, tf.int32),
        }

    @tf.function(input_signature=[_IMAGES])
    def embed_image(self, image_bytes):
        """One region, the whole frame, of the vector of a sentence: red or not."""

        def mean(encoded):
            pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
            return tf.reduce_mean(tf.cast(pixels, tf.float32), axis=[0, 1])

        colors = tf.map_fn(mean, image_bytes, fn_output_signature=tf.float32)
        is_red = (colors[:, 0] > 200.0) & (colors[:, 1] < 50.0)
        count = tf.size(image_bytes)
        return {
            "regions": tf.one_hot(tf.cast(is_red, tf.int32), 2)[:, None],
            "num_regions": tf.ones([count], tf.int32),
            "boxes": tf.tile(tf.constant(BOXES)[None, :1], [count, 1, 1]),
        }


class _Relations(tf.Module):
    """Refuses plain text, as models of dependency relations do."""

    @tf.function(input_signature=[_texts("sentences")])
    def embed_sentence(self, sentences):
        check = tf.debugging.Assert(
            tf.reduce_all(tf.strings.regex_full_match(sentences, ".*\t.*\t.*")),
            ["Expected dependency relations"],
        )
        with tf.control_dependencies([check]):
            return {"fragments": tf.zeros([tf.size(sentences), 1, 2])}


class _Captioner(tf.Module):
    """Says the size of a photograph, and something that looks like HTML."""

    @tf.function(input_signature=[_IMAGES])
    def caption(self, image_bytes):
        def captions(encoded):
            shape = tf.shape(tf.io.decode_image(encoded, channels=3, expand_animations=False))
            size = tf.strings.format("a photograph of {} by {}", (shape[1], shape[0]))
            return tf.stack([size, HTML])

        return {
            "captions": tf.map_fn(captions, image_bytes, fn_output_signature=tf.string),
            "log_prob": tf.tile([[-1.0, -2.5]], [tf.size(image_bytes), 1]),
        }


class _RegionCaptioner(tf.Module):
    """Two captions of each of three regions, the last of which is padding."""

    @tf.function(input_signature=[_IMAGES])
    def caption(self, image_bytes):
        def repeated(values):
            return tf.repeat(tf.constant(values)[None], tf.size(image_bytes), axis=0)

        return {
            "captions": repeated([["all", "everything"], ["a dog", "a cat"], ["", ""]]),
            "log_prob": repeated([[-1.0, -2.0], [-3.0, -4.0], [0.0, 0.0]]),
            "boxes": repeated(BOXES),
            "num_regions": repeated(2),
        }


def write_alignment_model(path):
    """Writes a SavedModel with the signatures align, localize, embed_sentence and embed_image."""
    model = _Alignment()
    signatures = {
        "align": model.align,
        "localize": model.localize,
        "embed_sentence": model.embed_sentence,
        "embed_image": model.embed_image,
    }
    tf.saved_model.save(model, str(path), signatures=signatures)


def write_relation_model(path):
    """Writes a SavedModel with the signature embed_sentence, of dependency relations."""
    model = _Relations()
    tf.saved_model.save(model, str(path), signatures={"embed_sentence": model.embed_sentence})


def write_caption_model(path):
    """Writes a SavedModel with the signature caption."""
    model = _Captioner()
    tf.saved_model.save(model, str(path), signatures={"caption": model.caption})


def write_region_caption_model(path):
    """Writes a SavedModel with the signature caption, of regions."""
    model = _RegionCaptioner()
    tf.saved_model.save(model, str(path), signatures={"caption": model.caption})
