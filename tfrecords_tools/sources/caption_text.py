"""What counts as a usable caption, the same for every source."""

# Longer "captions" are paragraphs or damage; the longest of Flickr8K and Flickr30K has 82 words.
MAX_CAPTION_WORDS = 200


def read_caption(data):
    """Decodes and checks one caption.

    Args:
        data: the caption, bytes or a string.

    Returns:
        `(text, reason)`: the caption without surrounding space and None, or None and why the
        caption cannot be used.
    """
    if isinstance(data, str):
        # JSON can spell halves of characters, which no UTF-8 holds.
        data = data.encode("utf-8", "surrogatepass")
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return None, f"the caption is not UTF-8 (byte {error.start} of {data[:60]!r})"
    if not text:
        return None, "the caption is empty"
    if not any(character.isalnum() for character in text):
        return None, f"the caption has no word: {text[:60]!r}"
    num_words = len(text.split())
    if num_words > MAX_CAPTION_WORDS:
        return None, f"the caption has {num_words} words (at most {MAX_CAPTION_WORDS})"
    return text, None
