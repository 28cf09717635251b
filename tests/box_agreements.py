"""`box_agreement` by plain Python."""

import math


def box_agreements(scores, boxes, power):
    """Returns how far each region agrees with those that fit, a list; of real regions alone."""
    mean = sum(scores) / len(scores)
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / len(scores))
    weights = [math.exp((score - mean) / (0.7 * max(deviation, 1e-12))) for score in scores]
    return [
        sum(weight * _overlap(box, other) ** power for weight, other in zip(weights, boxes))
        / sum(weights)
        for box in boxes
    ]


def _overlap(box, other):
    sides = [min(box[i + 2], other[i + 2]) - max(box[i], other[i]) for i in (0, 1)]
    shared = sides[0] * sides[1] if min(sides) > 0 else 0
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (box, other)]
    return 1.0 if box == other else shared / max(sum(areas) - shared, 1e-12)
