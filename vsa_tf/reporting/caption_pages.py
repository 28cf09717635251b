"""The pages of a caption generator."""

from vsa_tf.reporting.report_page import Card, ReportPage, numbered_pages

_INTRODUCTION = (
    "What the model writes for each image, with the natural logarithm of each word's probability; "
    "the training caption closest to it; and the captions that people wrote."
)


def caption_pages(model, evaluation, data, photographs, options):
    """Returns the pages of a caption generator, list of `ReportPage`; see `alignment_pages`."""
    del model
    closest = [row["closest_training_caption"] for row in evaluation.files["captions.json"]]
    cards = CaptionedCards(evaluation.captions, closest, data, photographs)
    return list(
        numbered_pages(
            "images",
            "Images",
            _INTRODUCTION,
            options.shown(range(data.records.num_images)),
            options.images_per_page,
            lambda images: [ReportPage.group(cards=map(cards.card, images))],
        )
    )


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
        for caption in records.captions[slice(*records.first_caption[image : image + 2])]:
            card.add_line([Card.part(caption)], "true")
        return card
