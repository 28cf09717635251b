"""Flickr30K: 31,783 photographs with five captions each, in its official files.

Source: Young, Lai, Hodosh and Hockenmaier, "From image descriptions to visual denotations", 2014;
splits of Plummer et al., "Flickr30k Entities", 2015.
"""

from tfrecords_tools.sources.flickr_captions import FlickrCaptions


class Flickr30k(FlickrCaptions):
    """Parses Flickr30K, with the phrases and boxes of Flickr30K Entities if they are given.

    The lists are those of Flickr30K Entities; `val.txt` is the split `dev`. Karpathy's splits are
    the data set `karpathy_json`.

    Args:
        images: directory or zip of the photographs, `NUMBER.jpg`.
        captions: directory or zip that holds `results_20130124.token` and one or more of
            `train.txt`, `val.txt`, `test.txt`; a split whose list is missing is left out.
        entities: directory or zip that holds `Sentences/` and `Annotations/`, or None; the lists
            may lie here too.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    name = "flickr30k"
    official_counts = {"train": 29_783, "dev": 1000, "test": 1000}
    token_file = "results_20130124.token"
    split_files = {"train": "train.txt", "dev": "val.txt", "test": "test.txt"}
    list_suffix = ".jpg"
    images_wanted = ("flickr30k-images/*.jpg", "flickr30k-images.tar.gz, unpack it")
    captions_wanted = "flickr30k.tar.gz, unpack it"
    lists_wanted = (
        "them from https://github.com/BryanPlummer/flickr30k_entities, put them beside "
        "results_20130124.token"
    )
