"""English sentences about a shape scene, true of it and clear about what they mean."""

import dataclasses

from tfrecords_tools.sources.shape_scene_claims import (
    POSITIONS,
    RELATIONS,
    Claim,
    are_related,
    assignments,
    in_position,
    is_background,
    members,
)
from tfrecords_tools.sources.source_example import Phrase

_POSITION_WORDS = {
    "left": ("on the left", "on the left", "on the left side"),
    "right": ("on the right", "on the right", "on the right side"),
    "top": ("at the top", "near the top", "in the upper part"),
    "bottom": ("at the bottom", "near the bottom", "in the lower part"),
    "middle": ("in the middle", "in the center"),
    "top left": ("in the top left corner", "in the upper left corner", "at the top left"),
    "top right": ("in the top right corner", "in the upper right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "in the lower left corner", "at the bottom left"),
    "bottom right": (
        "in the bottom right corner", "in the lower right corner", "at the bottom right",
    ),
}
_RELATION_WORDS = {
    "left of": ("to the left of", "left of", "on the left of"),
    "right of": ("to the right of", "right of", "on the right of"),
    "above": ("above", "higher than", "above"),
    "below": ("below", "under", "beneath"),
    "near": ("near", "next to", "close to"),
}
_SIZE_WORDS = {"small": ("small", "small", "little", "tiny"), "large": ("large", "big")}
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
_BACKGROUND_KINDS = ("plain", "speckled", "striped", "checkered")


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
    phrases: tuple[Phrase, ...]
    claims: tuple[Claim, ...]
    referents: tuple[int, ...]


class _Sentence:
    """A sentence being written: words, mentions and claims grow together."""

    def __init__(self, scene, random):
        self.scene = scene
        self.random = random
        self.words, self.mentions, self.claims, self.referents = [], [], [], []

    def say(self, text):
        self.words.extend(text.split())

    def phrase(self, text, chain, kind):
        words = text.split()
        self.mentions.append((len(self.words), len(words), chain, kind))
        self.words.extend(words)

    def claim(self, predicate, *arguments):
        self.claims.append(Claim(predicate, arguments))

    def chance(self, probability):
        return self.random.random() < probability

    def introduce(self, index, size_share=0.55):
        """Says `a small red circle`."""
        shape = self.scene.shapes[index]
        entity = len(self.referents)
        self.referents.append(index)
        self.claim("kind", entity, shape.colour, shape.shape)
        words = [shape.colour, shape.shape]
        if self.chance(size_share):
            words.insert(0, self.random.choice(_SIZE_WORDS[shape.size]))
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
            words.append(self.random.choice(_SIZE_WORDS[size]))
        if colour is not None:
            words.append(colour)
        noun = name or "shape"
        words.append(noun + ("es" if noun.endswith("s") else "s"))
        self.phrase(" ".join(words), "shapes" + "_".join(map(str, found)), "plural")

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
        self.say(self.random.choice(_POSITION_WORDS[place]))
        return True

    def relate(self, first, relation, second):
        self.claim(
            "relation", self.referents.index(first), relation, self.referents.index(second)
        )

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
        return [i for i in range(len(self.scene.shapes)) if i not in self.referents]

    def opening(self, plural=False):
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
        starts = zip(["."] + self.words, self.words, strict=False)
        words = [word.capitalize() if before == "." else word for before, word in starts]
        if not self.chance(0.08):
            words.append(".")
        return Caption(
            text=" ".join(words),
            phrases=tuple(Phrase(index, *mention) for mention in self.mentions),
            claims=tuple(self.claims),
            referents=tuple(self.referents),
        )


def _groups(sentence):
    """Returns the shapes by colour and shape, in random order."""
    groups = {}
    for index, shape in enumerate(sentence.scene.shapes):
        groups.setdefault((shape.colour, shape.shape), []).append(index)
    groups = list(groups.values())
    sentence.random.shuffle(groups)
    return groups


def _enumerate(sentence, groups, size_share, place_share=0.0):
    for number, group in enumerate(groups):
        if number:
            sentence.say("and" if number == len(groups) - 1 else ",")
        # The first follows `there is` or `there are`.
        sentence.group(group, size_share, together=number == 0)
        if len(group) == 1:
            if sentence.chance(place_share):
                sentence.place(group[0])
        elif sentence.chance(place_share + 0.2):
            _place_group(sentence, group)


def _place_group(sentence, group):
    scene = sentence.scene
    places = [
        place
        for place in ("left", "right", "top", "bottom")
        if all(in_position(scene.centers[index], place, strict=True) for index in group)
    ]
    last = sentence.claims[-1]
    if places and last.predicate == "count":
        place = sentence.random.choice(places)
        sentence.claim("group position", last.arguments[0], place)
        sentence.say(sentence.random.choice(_POSITION_WORDS[place][:2]))


def _everything(sentence):
    """`A small red circle , two blue stars at the top and a ring on a dark background`."""
    groups = _groups(sentence)
    sentence.opening(plural=len(groups[0]) > 1)
    only = sentence.chance(0.15)
    if only and len(groups) == 1:
        sentence.say("only")
    _enumerate(sentence, groups, 0.6, place_share=0.5)
    if only:
        if len(groups) > 1:
            sentence.say("and nothing else")
        sentence.claim("count", (None, None, None), len(sentence.scene.shapes))
    elif sentence.chance(0.3):
        sentence.behind()


def _briefly(sentence):
    """`A red circle and a blue square`: one or two things, little more."""
    groups = _groups(sentence)[:2]
    if len(groups) > 1 and sentence.chance(0.2):
        groups = groups[:1]
    sentence.opening(plural=len(groups[0]) > 1)
    _enumerate(sentence, groups, 0.35)
    if sentence.chance(0.2):
        sentence.behind()


def _placed(sentence):
    """`In the top left corner there is a red circle , and a blue square is in the middle`."""
    choices = sentence.random.sample(sentence.others(), k=len(sentence.scene.shapes))
    first, rest = choices[0], choices[1:]
    form = sentence.random.randrange(3)
    places = sentence.positions(first)
    if form == 0 and places:
        place = sentence.random.choice(places)
        sentence.say(sentence.random.choice(_POSITION_WORDS[place]))
        sentence.say(sentence.random.choice(("there is", "is", "sits")))
        sentence.introduce(first)
        sentence.claim("position", 0, place)
    elif form == 1 and places:
        sentence.introduce(first)
        sentence.say(sentence.random.choice(("is", "sits", "lies", "can be seen")))
        sentence.place(first)
    else:
        sentence.opening()
        sentence.introduce(first, 0.7)
        sentence.place(first)
    for index in rest[: sentence.random.choice((0, 1, 2, 2))]:
        sentence.say(sentence.random.choice(("and", ", and", ", with")))
        sentence.introduce(index)
        sentence.place(index)
    if sentence.chance(0.15):
        sentence.behind()


def _related(sentence):
    """`A red circle sits to the left of a large blue square , which is above a ring`."""
    relations = sentence.relations()
    if not relations:
        return _placed(sentence)
    first, relation, second = sentence.random.choice(relations)
    words = sentence.random.choice(_RELATION_WORDS[relation])
    form = sentence.random.randrange(4)
    if form == 0:
        sentence.say(words)
        sentence.introduce(second)
        sentence.say(sentence.random.choice(("there is", "is", "sits")))
        sentence.introduce(first)
    elif form == 1:
        sentence.opening()
        sentence.introduce(second)
        sentence.say("with")
        sentence.introduce(first)
        sentence.say(words)
        sentence.phrase("it", f"shape{second}", "pronoun")
    else:
        if form == 2:
            sentence.opening()
        sentence.introduce(first)
        if form == 3:
            sentence.say(sentence.random.choice(("is", "is", "sits", "lies", "is placed")))
        sentence.say(words)
        sentence.introduce(second)
    sentence.relate(first, relation, second)
    last = first if form == 0 else second
    return _continue(sentence, last, may_follow=form != 1)


def _continue(sentence, last, may_follow):
    """Adds a third shape, a place or the background to a sentence that ended with `last`."""
    further = sentence.relations(last, exclude=sentence.referents)
    kind = sentence.random.choice(("which", "which", "also", "also", "also", "place", "behind"))
    if kind == "which" and further and may_follow:
        _, relation, third = sentence.random.choice(further)
        sentence.say(", which is")
        sentence.say(sentence.random.choice(_RELATION_WORDS[relation]))
        sentence.introduce(third)
        sentence.relate(last, relation, third)
    elif kind == "also" and sentence.others():
        third = sentence.random.choice(sentence.others())
        sentence.say(sentence.random.choice((", and", ", with", ", and there is")))
        sentence.introduce(third)
        sentence.place(third)
    elif kind == "place" and may_follow and sentence.positions(last):
        sentence.say(", which is")
        sentence.place(last)
    elif kind == "behind":
        sentence.behind()


def _referring_back(sentence):
    """`There is a red circle and a blue square . The circle is at the top , it is small`."""
    indices = sentence.random.sample(sentence.others(), k=min(2, len(sentence.scene.shapes)))
    sentence.opening()
    sentence.introduce(indices[0], 0.3)
    if len(indices) == 2 and sentence.chance(0.7):
        sentence.say("and")
        sentence.introduce(indices[1], 0.3)
        sentence.say(sentence.random.choice((";", ",", ".")))
        subject = sentence.random.choice(indices)
        sentence.refer(subject)
    else:
        subject = indices[0]
        sentence.say(sentence.random.choice((";", ",", ", and")))
        sentence.phrase("it", f"shape{subject}", "pronoun")
    sentence.say("is")
    other = [index for index in sentence.referents if index != subject]
    known = [r for r in sentence.relations(subject) if r[2] in other]
    new = sentence.relations(subject, exclude=sentence.referents)
    if known and sentence.chance(0.6):
        _, relation, second = sentence.random.choice(known)
        sentence.say(sentence.random.choice(_RELATION_WORDS[relation]))
        sentence.refer(second)
        sentence.relate(subject, relation, second)
    elif new and sentence.chance(0.6):
        _, relation, second = sentence.random.choice(new)
        sentence.say(sentence.random.choice(_RELATION_WORDS[relation]))
        sentence.introduce(second)
        sentence.relate(subject, relation, second)
    elif not (sentence.chance(0.7) and sentence.place(subject)):
        size = sentence.scene.shapes[subject].size
        sentence.claim("size", sentence.referents.index(subject), size)
        sentence.say(sentence.random.choice(_SIZE_WORDS[size]))


def _counting(sentence):
    """`Three shapes : two small circles and a star`, `two stars , a red one and a blue one`."""
    scene = sentence.scene
    by_shape = {}
    for index, shape in enumerate(scene.shapes):
        by_shape.setdefault(shape.shape, []).append(index)
    pairs = [
        pair
        for pair in by_shape.values()
        if len(pair) == 2 and len({scene.shapes[index].colour for index in pair}) == 2
    ]
    if pairs and sentence.chance(0.6):
        pair = sentence.random.choice(pairs)
        sentence.opening(plural=True)
        sentence.plural((None, None, scene.shapes[pair[0]].shape))
        sentence.say(sentence.random.choice((",", ":")))
        _one_of(sentence, pair[0])
        sentence.say("and")
        _one_of(sentence, pair[1])
        return None
    groups = _groups(sentence)
    if len(scene.shapes) == 1:
        return _everything(sentence)
    sentence.opening(plural=True)
    sentence.plural((None, None, None))
    mentioned = groups[: sentence.random.choice((1, 2, 5))]
    sentence.say(", including" if len(mentioned) < len(groups) else sentence.random.choice(":,"))
    return _enumerate(sentence, mentioned, 0.5, 0.2)


def _one_of(sentence, index):
    """Says `a red one`."""
    shape = sentence.scene.shapes[index]
    entity = len(sentence.referents)
    sentence.referents.append(index)
    sentence.claim("kind", entity, shape.colour, shape.shape)
    article = "an" if shape.colour == "orange" else "a"
    sentence.phrase(f"{article} {shape.colour} one", f"shape{index}", "nominal")
    if sentence.chance(0.4):
        sentence.place(index)


_STYLES = (_everything, _briefly, _placed, _related, _referring_back, _counting)
_WEIGHTS = (26, 6, 20, 30, 11, 7)


def describe(scene, random, num_captions=5):
    """Writes different sentences about a scene, each true and clear about what it means.

    Args:
        scene: a `ShapeScene`.
        random: a `random.Random`.
        num_captions: how many sentences.

    Returns:
        A tuple of `Caption`s. In the scene itself the shapes meant are the only ones of which a
        sentence is true.
    """
    captions, texts = [], set()
    while len(captions) < num_captions:
        # One sentence in five at least is about all there is.
        style = random.choices(_STYLES, _WEIGHTS)[0] if captions else _everything
        sentence = _Sentence(scene, random)
        style(sentence)
        caption = sentence.caption(len(captions))
        clear = list(assignments(caption.claims, scene)) == [caption.referents]
        repetitive = len(set(caption.claims)) < len(caption.claims)
        if clear and not repetitive and caption.text not in texts:
            captions.append(caption)
            texts.add(caption.text)
    # The order tells nothing of the style.
    random.shuffle(captions)
    return tuple(
        dataclasses.replace(
            caption,
            phrases=tuple(dataclasses.replace(p, caption_index=index) for p in caption.phrases),
        )
        for index, caption in enumerate(captions)
    )
