"""The pages of a caption generator."""

import dataclasses

import numpy as np

from vsa_tf.evaluation.caption_methods import captioned_images
from vsa_tf.evaluation.combined_retrieval import split_scores
from vsa_tf.reporting.report_page import Card, ReportPage, numbered_pages
from vsa_tf.reporting.retrieval_pages import example_images, neighbor_page

_INTRODUCTION = (
    "What the model writes for each image, with the natural logarithm of each word's probability; "
    "the training caption closest to it; and the captions that people wrote."
)
_NO_NEIGHBORS = (
    " There are no pages of similar images: the records hold no features of an encoder, and no "
    "image enters this model's multimodal layer."
)
_RERANKED = (
    "The {n} likeliest captions, in their order after reranking by consensus: the mean CIDEr of "
    "each with those captions of the {k} most similar training images that are most like it (M "
    "section 8.2). Beside each is its place before, by probability."
)
_NEIGHBORS = {
    "refined": "by the model's refined features",
    "encoder": "by the image encoder's features",
}


def caption_pages(model, evaluation, data, photographs, options):
    """Yields the pages of a caption generator; see `alignment_pages`."""
    del model
    methods = evaluation.caption_methods
    closest = [row["closest_training_caption"] for row in evaluation.files["captions.json"]]
    cards = CaptionedCards(evaluation.captions, closest, data, photographs)
    yield from numbered_pages(
        "images",
        "Images",
        _INTRODUCTION + ("" if methods.features else _NO_NEIGHBORS),
        options.shown(range(data.records.num_images)),
        options.images_per_page,
        lambda images: [ReportPage.group(cards=map(cards.card, images))],
    )
    images = example_images(data.records, options)
    methods = methods.of_images(images)
    examples = ExampleCards(images, data, photographs)
    if methods.splits.retrieval_model or methods.features:
        yield training_page(examples, evaluation.captions, methods)
    if methods.features:
        yield reranking_page(examples, methods)
        yield training_neighbor_page(examples, methods)


class CaptionedCards:
    """Makes the card of an image of a split that a caption generator has seen.

    Args:
        captions: the `GeneratedCaptions`.
        closest: the training caption closest to each image's own, list of str.
        data: the `SplitData`.
        photographs: `PhotographFolder`.
    """

    def __init__(self, captions, closest, data, photographs):
        self._captions = captions
        self._closest = closest
        self._data = data
        self._photographs = photographs

    def card(self, image):
        """Returns the `Card` of an image."""
        records, captions = self._data.records, self._captions
        card = Card(self._photographs.photograph(image), records.filenames[image])
        rows = zip(
            captions.tokens[image], captions.token_log_probs[image], captions.log_probs[image]
        )
        for tokens, log_probs, total in rows:
            # The last one is of the end, which a caption that was cut at its longest lacks.
            words = [*tokens, "(end)"][: len(log_probs)]
            parts = [Card.part(word, below=f"{value:.2f}") for word, value in zip(words, log_probs)]
            card.add_line(parts, "generated", f"log probability {total:.2f}")
        closest = self._closest[image]
        tokenize = self._data.text.tokenize
        same = tokenize(closest) in captions.tokens[image][:1]
        card.add_line([Card.part(closest)], "in training", "the same words" if same else "")
        _add_true_lines(card, records, image)
        return card


def _add_true_lines(card, records, image):
    for caption in records.captions[slice(*records.first_caption[image : image + 2])]:
        card.add_line([Card.part(caption)], "true")


@dataclasses.dataclass
class ExampleCards:
    """Makes cards of a few images of a split.

    Attributes:
        images: int `[n]`.
        data: the `SplitData`.
        photographs: `PhotographFolder`.
    """

    images: np.ndarray
    data: object
    photographs: object

    def group(self, add_lines):
        """Returns a group of a card for each image.

        Args:
            add_lines: given a card and the place of its image, adds what comes before the true
                captions.
        """
        records, cards = self.data.records, []
        for place, image in enumerate(self.images):
            card = Card(self.photographs.photograph(image), records.filenames[image])
            add_lines(card, place)
            _add_true_lines(card, records, image)
            cards.append(card)
        return ReportPage.group(cards=cards)


def training_page(examples, captions, methods):
    """Returns the page of generated captions beside training captions (D Figure 5).

    Args:
        examples: `ExampleCards`.
        captions: the `GeneratedCaptions` of the split.
        methods: the `CaptionMethods` of the examples. Where `splits.retrieval_model` is given, it
            tells which training caption fits an image best, else the consensus of similar images.
    """
    load, training = methods.splits.retrieval_model, methods.splits.training
    if load:
        scores = training_scores(load, examples, training)
        found = [training.records.captions[sentence] for sentence in scores.argmax(axis=1)]
        notes = [f"score {score:.2f}" for score in scores.max(axis=1)]
        how = "scores highest for the photograph by --retrieval_model"
    else:
        found, notes = methods.captions("nearest_cider"), [""] * len(examples.images)
        how = (
            "the captions of similar training images agree on most, by CIDEr; with "
            "--retrieval_model=MODEL_DIR it is the one of all that scores highest for the "
            "photograph"
        )

    def add_lines(card, place):
        card.add_line([Card.part(captions.best[examples.images[place]])], "generated")
        card.add_line([Card.part(found[place])], "training", notes[place])

    return ReportPage(
        "training",
        "Beside training captions",
        f"What the model writes, and the training caption that {how}. The photograph alone "
        "chooses it, whatever the model writes.",
        [examples.group(add_lines)],
        section="Beside training",
    )


def training_scores(load, examples, training):
    """Returns the score of each example with every training caption, float32 `[n, M]`.

    Args:
        load: given a `RecordSplit`, returns a model of images and sentences, and the `SplitData`
            that it reads.
        examples: `ExampleCards`.
        training: `SplitData` of the training split.
    """
    _, images = load(examples.data.records)
    model, sentences = load(training.records)
    pairs = _ImagesAndSentences(images, examples.images, sentences)
    return split_scores(model, pairs, sentences.records.num_captions)


@dataclasses.dataclass
class _ImagesAndSentences:
    """Some images of one split and the sentences of another, to be embedded as a `SplitData`."""

    images: object
    chosen: np.ndarray
    sentences: object

    @property
    def records(self):
        return self.sentences.records

    @property
    def tokens(self):
        return self.sentences.tokens

    def image_batches(self, batch_size):
        return self.images.image_batches(batch_size, self.chosen)

    def sentence_batches(self, batch_size, captions=None):
        return self.sentences.sentence_batches(batch_size, captions)


def reranking_page(examples, methods):
    """Returns the page of hypotheses before and after reranking (M Figure 4).

    Args:
        examples: `ExampleCards`.
        methods: the `CaptionMethods` of the examples.
    """
    hypotheses, ranking = methods.hypotheses, methods.consensus("cider")

    def add_lines(card, place):
        texts, log_probs = hypotheses.texts[place], hypotheses.log_probs[place]
        for rank, before in enumerate(ranking.order[place], 1):
            was = "" if before + 1 == rank else f", was {before + 1}"
            note = (
                f"consensus {ranking.scores[place][before]:.2f}, log probability "
                f"{log_probs[before]:.2f}"
            )
            card.add_line([Card.part(texts[before])], f"{rank}{was}", note)

    return ReportPage(
        "reranking",
        "Hypotheses before and after reranking",
        _RERANKED.format(n=max(map(len, hypotheses.texts)), k=len(methods.neighbors[0])),
        [examples.group(add_lines)],
        section="Reranking",
    )


def training_neighbor_page(examples, methods):
    """Returns the page of the nearest training images by each kind of features (M Figure 3).

    Args:
        examples: `ExampleCards`.
        methods: the `CaptionMethods` of the examples.
    """
    records = methods.splits.training.records
    captioned = captioned_images(records)
    found = {}
    for features in methods.features:
        nearest = methods.nearest(features)
        found[_NEIGHBORS[features]] = nearest._replace(images=captioned[nearest.images])
    lacking = {
        "refined": "No image enters this model's multimodal layer: it refines no features.",
        "encoder": "The records hold no features of an encoder.",
    }
    introduction = " ".join(
        [
            "The training images nearest to an image (M section 8.1).",
            *(text for features, text in lacking.items() if features not in methods.features),
        ]
    )
    shown = examples.data.records, examples.photographs
    among = records, examples.photographs.of(records, "training_photographs")
    return neighbor_page(introduction, examples.images, found, shown, among)
