"""What a sentence about a shape scene claims, and when that is true.

A sentence is a list of claims about entities. A scene satisfies it when its shapes can take the
parts of the entities, each shape at most one, so that every claim holds: `a red circle above a
blue square` is true where any such pair exists, `two red circles` where there are exactly two.
Words are defined generously; written sentences keep well inside, by the `strict` definitions.
"""

import dataclasses

# Where along (y, x): -1 towards 0, 1 towards 1, 0 at the centre, None anywhere.
POSITIONS = {
    "left": (None, -1),
    "right": (None, 1),
    "top": (-1, None),
    "bottom": (1, None),
    "middle": (0, 0),
    "top left": (-1, -1),
    "top right": (-1, 1),
    "bottom left": (1, -1),
    "bottom right": (1, 1),
}
RELATIONS = ("left of", "right of", "above", "below", "near")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One thing a sentence says.

    Attributes:
        predicate: what is claimed; entities are numbered from 0, a group is
            `(size, colour, shape)` with `None` for any:
            `kind` (entity, colour, shape); `size` (entity, size);
            `position` (entity, position); `relation` (entity, relation, other entity);
            `count` (group, number); `group position` (group, position); `background` (word,).
        arguments: as above.
    """

    predicate: str
    arguments: tuple


def in_position(center, position, strict=False):
    """Returns whether a shape with its centre `(y, x)` there is at a place of `POSITIONS`.

    Args:
        center: `(y, x)` in 0..1.
        position: a key of `POSITIONS`.
        strict: whether to ask for the margin that written sentences keep.
    """
    sides = POSITIONS[position]
    if position == "middle":
        return all(abs(value - 0.5) <= (0.09 if strict else 0.17) for value in center)
    bound = 0.31 if strict else 0.40
    return all(
        side is None or (value <= bound if side < 0 else value >= 1.0 - bound)
        for value, side in zip(center, sides, strict=True)
    )


def are_related(scene, first, relation, second, strict=False):
    """Returns whether shape `first` stands in `relation` to shape `second`.

    Args:
        scene: a `ShapeScene`.
        first: index of a shape.
        relation: one of `RELATIONS`.
        second: index of another shape.
        strict: whether to ask for the margin that written sentences keep.
    """
    if relation == "near":
        a, b = scene.boxes[first], scene.boxes[second]
        down = max(a[0], b[0]) - min(a[2], b[2])
        across = max(a[1], b[1]) - min(a[3], b[3])
        return max(down, across, 0.0) <= (0.05 if strict else 0.13)
    axis = 0 if relation in ("above", "below") else 1
    sign = 1.0 if relation in ("above", "left of") else -1.0
    one, other = scene.centers[first], scene.centers[second]
    ahead = sign * (other[axis] - one[axis])
    aside = abs(other[1 - axis] - one[1 - axis])
    return ahead >= 0.2 and aside <= 1.5 * ahead if strict else ahead >= 0.08


def is_background(background, word, strict=False):
    """Returns whether `word` (a kind, `dark` or `light`) describes the background."""
    if word == "dark":
        return background.tone <= (0.3 if strict else 0.42)
    if word == "light":
        return background.tone >= (0.7 if strict else 0.58)
    return background.kind == word


def members(scene, group):
    """Returns the indices of the shapes of a group `(size, colour, shape)`, `None` for any."""
    size, colour, name = group
    return tuple(
        index
        for index, shape in enumerate(scene.shapes)
        if (colour is None or shape.colour == colour)
        and (name is None or shape.shape == name)
        and (size is None or shape.size == size)
    )


def assignments(claims, scene):
    """Yields every way in which the scene's shapes can be the entities of the claims.

    Args:
        claims: `Claim`s of one sentence.
        scene: a `ShapeScene`.

    Yields:
        Tuples with the index of a shape for each entity, all different.
    """
    candidates, relations = [], []
    for claim in claims:
        arguments = claim.arguments
        if claim.predicate == "kind":
            entity, colour, name = arguments
            candidates.extend([] for _ in range(entity + 1 - len(candidates)))
            candidates[entity] = members(scene, (None, colour, name))
            if not candidates[entity]:
                return
        elif claim.predicate == "count":
            if len(members(scene, arguments[0])) != arguments[1]:
                return
        elif claim.predicate == "group position":
            group = members(scene, arguments[0])
            if not all(in_position(scene.centers[index], arguments[1]) for index in group):
                return
        elif claim.predicate == "background":
            if not is_background(scene.background, arguments[0]):
                return
        elif claim.predicate == "relation":
            relations.append(arguments)
    for claim in claims:
        if claim.predicate in ("size", "position"):
            entity, word = claim.arguments
            candidates[entity] = tuple(
                index
                for index in candidates[entity]
                if (
                    scene.shapes[index].size == word
                    if claim.predicate == "size"
                    else in_position(scene.centers[index], word)
                )
            )
    yield from _extend((), candidates, relations, scene)


def _extend(chosen, candidates, relations, scene):
    if len(chosen) == len(candidates):
        yield chosen
        return
    for index in candidates[len(chosen)]:
        if index in chosen:
            continue
        longer = chosen + (index,)
        if all(
            are_related(scene, longer[first], relation, longer[second])
            for first, relation, second in relations
            # Each relation is checked once, as soon as both its entities have a shape.
            if max(first, second) == len(chosen)
        ):
            yield from _extend(longer, candidates, relations, scene)


def satisfies(claims, scene):
    """Returns whether a sentence is true of a scene.

    Args:
        claims: the `Claim`s of the sentence.
        scene: a `ShapeScene`.
    """
    return next(assignments(claims, scene), None) is not None
