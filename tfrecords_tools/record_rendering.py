"""A self-contained web page of sample records."""

import base64
import html
import os

import tensorflow as tf

from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.data.parsed_record import ParsedRecord

_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
_STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 70em; color: #222; }
article { display: flex; gap: 1.5em; margin: 2em 0; }
figure { margin: 0; position: relative; width: 24em; flex: none; align-self: start; }
img, .frame { width: 100%; display: block; } .frame { background: #ddd; }
svg { position: absolute; inset: 0; width: 100%; height: 100%; }
rect { fill: none; vector-effect: non-scaling-stroke; }
.region { stroke: #fff; stroke-width: 1; stroke-dasharray: 3 3; opacity: .7; }
.object { stroke-width: 2.5; }
mark { background: none; font-weight: bold; }
h2 { font-size: 1em; margin: 0 0 .5em; } li { margin: .2em 0; }
"""


def render_records(data_dir, num_samples=24):
    """Renders samples of every split: photographs, boxes, captions.

    Phrases and boxes of one coreference chain have one colour; regions are dashed.

    Args:
        data_dir: directory that `tfrecords_tools.write` filled.
        num_samples: records of each split, evenly spread over it.

    Returns:
        The page, HTML that needs no other file.

    Raises:
        OSError, ValueError: when the records cannot be read.
    """
    info = DatasetInfo.load(data_dir)
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{html.escape(info.dataset)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html.escape(info.dataset)}</h1>",
    ]
    for name, split in info.splits.items():
        parts.append(
            f"<h1>{html.escape(name)}</h1><p>{split.num_images} images, {split.num_sentences} "
            f"sentences, {split.num_phrases} phrases. Dashed: regions. Coloured: annotated boxes, "
            "in the colour of their phrases.</p>"
        )
        parts.extend(_article(record) for record in _samples(info, name, num_samples))
    return "\n".join([*parts, "</body></html>\n"])


def _samples(info, name, num_samples):
    split = info.split(name)
    count = min(num_samples, split.num_images)
    wanted = {index * split.num_images // count for index in range(count)}
    start = 0
    for shard in split.shards:
        stop = start + shard.num_records
        places = {index - start for index in wanted if start <= index < stop}
        start = stop
        if not places:
            continue
        path = os.path.join(info.data_dir, shard.file)
        try:
            for place, serialized in enumerate(tf.data.TFRecordDataset(path).take(max(places) + 1)):
                if place in places:
                    yield ParsedRecord.parse(
                        serialized.numpy(), info.num_regions, info.region_feature_size
                    )
        except tf.errors.OpError as error:
            raise ValueError(f"{shard.file} is damaged; --check tells more") from error


def _article(record):
    chains = dict.fromkeys([item.chain for item in record.objects])
    colours = {chain: _COLOURS[place % len(_COLOURS)] for place, chain in enumerate(chains)}
    boxes = [_rectangle(box, 'class="region"') for box in record.region_boxes[1:].tolist()]
    boxes += [
        _rectangle(item.box, f'class="object" stroke="{colours[item.chain]}"', item.chain)
        for item in record.objects
    ]
    captions = [
        f"<li>{_caption(caption, index, record.phrases, colours)}</li>"
        for index, caption in enumerate(record.captions)
    ]
    return (
        f"<article><figure>{_picture(record)}"
        f'<svg viewBox="0 0 1 1" preserveAspectRatio="none">{"".join(boxes)}</svg></figure>'
        f"<div><h2>{html.escape(record.source_id)}</h2><ul>{''.join(captions)}</ul>"
        f"<p>{record.width} x {record.height} pixels, {len(record.region_boxes)} regions</p></div>"
        "</article>"
    )


def _picture(record):
    if not record.encoded_image:
        return f'<div class="frame" style="aspect-ratio: {record.width} / {record.height}"></div>'
    data = base64.b64encode(record.encoded_image).decode("ascii")
    return f'<img alt="{html.escape(record.filename)}" src="data:image/jpeg;base64,{data}">'


def _rectangle(box, attributes, title=""):
    ymin, xmin, ymax, xmax = box
    return (
        f'<rect x="{xmin:.5f}" y="{ymin:.5f}" width="{xmax - xmin:.5f}" height="{ymax - ymin:.5f}" '
        f"{attributes}><title>{html.escape(title)}</title></rect>"
    )


def _caption(caption, index, phrases, colours):
    words = [html.escape(word) for word in caption.split()]
    for phrase in phrases:
        last = phrase.first_word + phrase.num_words - 1
        if phrase.caption_index != index or not 0 <= phrase.first_word <= last < len(words):
            continue
        title = html.escape(f"{phrase.type}, chain {phrase.chain}")
        colour = colours.get(phrase.chain, "#666")
        words[phrase.first_word] = (
            f'<mark style="color: {colour}" title="{title}">{words[phrase.first_word]}'
        )
        words[last] += "</mark>"
    return " ".join(words)
