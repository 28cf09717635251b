"""English sentences about a shape scene, true of it and clear about what they mean."""

import dataclasses

from tfrecords_tools.sources.shape_scene_claims import assignments
from tfrecords_tools.sources.shape_scene_sentence import (
    POSITION_WORDS,
    RELATION_WORDS,
    SIZE_WORDS,
    Sentence,
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
            sentence.place_group(group)


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
        sentence.say(sentence.random.choice(POSITION_WORDS[place]))
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
    words = sentence.random.choice(RELATION_WORDS[relation])
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
        sentence.say(sentence.random.choice(RELATION_WORDS[relation]))
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
        sentence.say(sentence.random.choice(RELATION_WORDS[relation]))
        sentence.refer(second)
        sentence.relate(subject, relation, second)
    elif new and sentence.chance(0.6):
        _, relation, second = sentence.random.choice(new)
        sentence.say(sentence.random.choice(RELATION_WORDS[relation]))
        sentence.introduce(second)
        sentence.relate(subject, relation, second)
    elif not (sentence.chance(0.7) and sentence.place(subject)):
        size = sentence.scene.shapes[subject].size
        sentence.claim("size", sentence.referents.index(subject), size)
        sentence.say(sentence.random.choice(SIZE_WORDS[size]))


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
        sentence.one(pair[0])
        sentence.say("and")
        sentence.one(pair[1])
        return None
    groups = _groups(sentence)
    if len(scene.shapes) == 1:
        return _everything(sentence)
    sentence.opening(plural=True)
    sentence.plural((None, None, None))
    mentioned = groups[: sentence.random.choice((1, 2, 5))]
    sentence.say(", including" if len(mentioned) < len(groups) else sentence.random.choice(":,"))
    return _enumerate(sentence, mentioned, 0.5, 0.2)


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
        sentence = Sentence(scene, random)
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
