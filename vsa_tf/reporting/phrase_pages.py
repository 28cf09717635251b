"""The pages of localized phrases."""

from vsa_tf.reporting.report_page import ReportPage, numbered_pages

_INTRODUCTION = (
    "The coloured box is the best region for a phrase, the dashed one that which people drew; grey "
    "words found the whole frame. ✓: they overlap by half or more. Point at a phrase, or go from "
    "image to image with the tabulator and from phrase to phrase with the arrow keys."
)


def phrase_pages(cards, options):
    """Returns the pages of images whose phrases were looked for, list of `ReportPage`.

    Args:
        cards: `PhraseCards`.
        options: `ReportOptions`.
    """
    return list(
        numbered_pages(
            "phrases",
            "Phrases",
            _INTRODUCTION,
            options.shown(cards.images),
            options.images_per_page,
            lambda images: [ReportPage.group(cards=map(cards.card, images))],
        )
    )
