"""What a report shows and how much of it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Settings of `write_report`. No TensorFlow here.

    Attributes:
        queries: snippets whose best regions are shown besides the split's frequent ones.
        num_frequent_queries: of those.
        images_per_page: images on a page.
        max_images: images that have a place on the pages, from the first; 0: all. Metrics are of
            the whole split.
        seed: of the intervals.
    """

    queries: tuple = ()
    num_frequent_queries: int = 20
    images_per_page: int = 50
    max_images: int = 0
    seed: int = 0

    def shown(self, images):
        """Returns those of a sequence of images that have a place on the pages."""
        return images[: self.max_images] if self.max_images else images
