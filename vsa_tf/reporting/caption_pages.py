"""The pages of a caption generator."""

from vsa_tf.reporting.captioned_cards import CaptionedCards
from vsa_tf.reporting.report_page import ReportPage, numbered_pages

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
