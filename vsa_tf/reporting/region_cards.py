"""Regions as photographs with one box."""

from vsa_tf.reporting.card import Card


def region_cards(hits, data, photographs):
    """Returns a card for each region.

    Args:
        hits: list of `RegionHit`.
        data: the `SplitData` they are of.
        photographs: `PhotographFolder`.

    Returns:
        List of `Card`.
    """
    cards = []
    for hit in hits:
        card = Card(photographs.photograph(hit.image), note=f"{hit.score:.2f}")
        card.add_box(data.records.region_boxes[hit.image, hit.region])
        cards.append(card)
    return cards
