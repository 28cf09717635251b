"""Photographs of a report that need no records."""


class GivenPhotographs:
    """In the place of `PhotographFolder`: writes nothing.

    Args:
        place: folder of the names.
    """

    def __init__(self, place=""):
        self._place = place

    def of(self, records, place):
        return GivenPhotographs(f"{place}/")

    def photograph(self, image):
        return {"file": f"{self._place}{int(image)}.jpg", "width": 4, "height": 3}
