"""Sentences about a shape scene: their words, phrases and clauses."""

import dataclasses

from tfrecords_tools.sources.shape_scene_claims import (
    POSITIONS,
    RELATIONS,
    Claim,
    are_related,
    in_position,
    is_background,
    members,
)
from vsa_tf.data.schema import AnnotatedPhrase

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
_BACKGROUND_KINDS = ("plain", "speckled", "striped", "checkered")
POSITION_WORDS = {
    "left": ("on the left", "on the left", "on the left side"),
    "right": ("on the right", "on the right", "on the right side"),
    "top": ("at the top", "near the top", "in the upper part"),
    "bottom": ("at the bottom", "near the bottom", "in the lower part"),
    "middle": ("in the middle", "in the center"),
    "top left": ("in the top left corner", "in the upper left corner", "at the top left"),
    "top right": ("in the top right corner", "in the upper right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "in the lower left corner", "at the bottom left"),
    "bottom right": (
        "in the bottom right corner",
        "in the lower right corner",
        "at the bottom right",
    ),
}
RELATION_WORDS = {
    "left of": ("to the left of", "left of", "on the left of"),
    "right of": ("to the right of", "right of", "on the right of"),
    "above": ("above", "higher than", "above"),
    "below": ("below", "under", "beneath"),
    "near": ("near", "next to", "close to"),
}
SIZE_WORDS = {"small": ("small", "small", "little", "tiny"), "large": ("large", "big")}


class Sentence:
    """A sentence being written: words, mentions and claims grow together.

    Shapes are given by their index in the scene.

    Args:
        scene: a `ShapeScene`.
        random: a `random.Random`.

    Attributes:
        scene, random: as above.
        claims: list of `Claim`s.
        referents: indices of the shapes mentioned, list of int: the entities of the claims.
    """

    def __init__(self, scene, random):
        self.scene = scene
        self.random = random
        self.claims, self.referents = [], []
        self._words, self._mentions = [], []

    def say(self, text):
        """Adds words."""
        self._words.extend(text.split())

    def phrase(self, text, chain, kind):
        """Adds an entity mention, of what `AnnotatedPhrase` calls chain and type."""
        words = text.split()
        self._mentions.append((len(self._words), len(words), chain, kind))
        self._words.extend(words)

    def claim(self, predicate, *arguments):
        """Notes a `Claim`."""
        self.claims.append(Claim(predicate, arguments))

    def chance(self, probability):
        """Returns whether to do what is done so often."""
        return self.random.random() < probability

    def introduce(self, index, size_share=0.55):
        """Says `a small red circle`."""
        shape = self.scene.shapes[index]
        entity = len(self.referents)
        self.referents.append(index)
        self.claim("kind", entity, shape.colour, shape.shape)
        words = [shape.colour, shape.shape]
        if self.chance(size_share):
            words.insert(0, self.random.choice(SIZE_WORDS[shape.size]))
            self.claim("size", entity, shape.size)
        article = "an" if words[0] == "orange" else "a"
        group = (None, shape.colour, shape.shape)
        if len(members(self.scene, group)) == 1 and self.chance(0.06):
            article = self.random.choice(("one", "a single"))
            self.claim("count", group, 1)
        self.phrase(f"{article} {' '.join(words)}", f"shape{index}", "shape")

    def refer(self, index):
        """Says `the circle` or `the red circle` about a shape already mentioned."""
        shape = self.scene.shapes[index]
        same = [i for i in self.referents if self.scene.shapes[i].shape == shape.shape]
        if len(same) == 1 and self.chance(0.6):
            self.phrase(f"the {shape.shape}", f"shape{index}", "nominal")
        else:
            self.phrase(f"the {shape.colour} {shape.shape}", f"shape{index}", "shape")

    def plural(self, group):
        """Says `two small red circles`; the group has two members or more."""
        found = members(self.scene, group)
        self.claim("count", group, len(found))
        size, colour, name = group
        words = [_NUMBERS[len(found)]]
        if size is not None:
            words.append(self.random.choice(SIZE_WORDS[size]))
        if colour is not None:
            words.append(colour)
        noun = name or "shape"
        words.append(noun + ("es" if noun.endswith("s") else "s"))
        self.phrase(" ".join(words), "shapes" + "_".join(map(str, found)), "plural")

    def one(self, index):
        """Says `a red one`, and sometimes where it is."""
        shape = self.scene.shapes[index]
        entity = len(self.referents)
        self.referents.append(index)
        self.claim("kind", entity, shape.colour, shape.shape)
        article = "an" if shape.colour == "orange" else "a"
        self.phrase(f"{article} {shape.colour} one", f"shape{index}", "nominal")
        if self.chance(0.4):
            self.place(index)

    def group(self, indices, size_share=0.55, together=False):
        """Says what there is of one colour and shape; several of them in the plural or apart."""
        if len(indices) == 1:
            return self.introduce(indices[0], size_share)
        shapes = [self.scene.shapes[index] for index in indices]
        sizes = {shape.size for shape in shapes}
        if not together and len(sizes) == 2 == len(shapes) and self.chance(0.4):
            self.introduce(indices[0], 1.0)
            self.say("and")
            return self.introduce(indices[1], 1.0)
        size = sizes.pop() if len(sizes) == 1 and self.chance(size_share) else None
        return self.plural((size, shapes[0].colour, shapes[0].shape))

    def positions(self, index):
        """Returns the places of a shape; a corner is mentioned rather than its two sides."""
        center = self.scene.centers[index]
        places = [place for place in POSITIONS if in_position(center, place, strict=True)]
        corners = [place for place in places if " " in place]
        return corners if corners and self.chance(0.8) else places

    def place(self, index):
        """Says where a mentioned shape is, if a word fits; returns whether it did."""
        places = self.positions(index)
        if not places:
            return False
        place = self.random.choice(places)
        self.claim("position", self.referents.index(index), place)
        self.say(self.random.choice(POSITION_WORDS[place]))
        return True

    def place_group(self, indices):
        """Says where the shapes of a plural are that was just said, if a word fits."""
        places = [
            place
            for place in ("left", "right", "top", "bottom")
            if all(in_position(self.scene.centers[index], place, strict=True) for index in indices)
        ]
        last = self.claims[-1]
        if places and last.predicate == "count":
            place = self.random.choice(places)
            self.claim("group position", last.arguments[0], place)
            self.say(self.random.choice(POSITION_WORDS[place][:2]))

    def relate(self, first, relation, second):
        """Notes that a mentioned shape stands in a relation to another."""
        self.claim("relation", self.referents.index(first), relation, self.referents.index(second))

    def relations(self, first=None, exclude=()):
        """Returns `(first, relation, second)` for all relations that are beyond doubt."""
        indices = range(len(self.scene.shapes))
        return [
            (one, relation, other)
            for one in (indices if first is None else (first,))
            for other in indices
            if one != other and other not in exclude
            for relation in RELATIONS
            if are_related(self.scene, one, relation, other, strict=True)
        ]

    def others(self):
        """Returns the shapes not yet mentioned."""
        return [i for i in range(len(self.scene.shapes)) if i not in self.referents]

    def opening(self, plural=False):
        """Says `there is`, `a picture of` and the like, or nothing."""
        kind = self.random.choice(("none", "none", "none", "there", "there", "of", "shows"))
        if kind == "there":
            self.say("there are" if plural else "there is")
        elif kind == "of":
            noun = self.random.choice(("a picture", "an image", "a drawing"))
            self.phrase(noun, "0", "notvisual")
            self.say(self.random.choice(("of", "with")))
        elif kind == "shows":
            self.phrase(self.random.choice(("the picture", "the image")), "0", "notvisual")
            self.say(self.random.choice(("shows", "has")))

    def behind(self):
        """Says what the background is like, if a word fits."""
        words = [
            word
            for word in (*_BACKGROUND_KINDS, "dark", "light")
            if is_background(self.scene.background, word, strict=True)
        ]
        if words:
            word = self.random.choice(words)
            self.claim("background", word)
            self.say(self.random.choice(("on", "on", "against")))
            self.phrase(f"a {word} background", "background", "background")

    def caption(self, index):
        """Returns what was written as the `Caption` of that index."""
        starts = zip(["."] + self._words, self._words, strict=False)
        words = [word.capitalize() if before == "." else word for before, word in starts]
        if not self.chance(0.08):
            words.append(".")
        return Caption(
            text=" ".join(words),
            phrases=tuple(AnnotatedPhrase(index, *mention) for mention in self._mentions),
            claims=tuple(self.claims),
            referents=tuple(self.referents),
        )


@dataclasses.dataclass(frozen=True)
class Caption:
    """A sentence about a scene with its meaning.

    Attributes:
        text: the words, punctuation separated by spaces.
        phrases: the entity mentions, positions in `text.split()`.
        claims: what it says.
        referents: for each entity of the claims the index of the shape that is meant.
    """

    text: str
    phrases: tuple[AnnotatedPhrase, ...]
    claims: tuple[Claim, ...]
    referents: tuple[int, ...]
