"""Flickr8K: 8,000 photographs with five captions each, in its official files.

Source: Hodosh, Young and Hockenmaier, "Framing image description as a ranking task", 2013.
"""

from tfrecords_tools.sources.flickr_captions import FlickrCaptions


class Flickr8k(FlickrCaptions):
    """Parses Flickr8K, with the phrases and boxes of Flickr30K Entities if they are given.

    Args:
        images: directory or zip that holds `Flicker8k_Dataset/*.jpg` (so spelt).
        captions: directory or zip that holds `Flickr8k.token.txt` and one or more of
            `Flickr_8k.{train,dev,test}Images.txt`; a split whose list is missing is left out.
        entities: directory or zip that holds `Sentences/` and `Annotations/`, or None.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    name = "flickr8k"
    official_counts = {"train": 6000, "dev": 1000, "test": 1000}
    token_file = "Flickr8k.token.txt"
    split_files = {split: f"Flickr_8k.{split}Images.txt" for split in ("train", "dev", "test")}
    images_wanted = ("Flicker8k_Dataset/*.jpg", "Flickr8k_Dataset.zip")
    captions_wanted = lists_wanted = "Flickr8k_text.zip"
