"""What tests do with the page, and read from it."""

# Width and height of the fixture `photograph`: small enough to be sent as it is.
PHOTOGRAPH_SIZE = (400, 200)


def choose(page, path):
    """Gives the page a photograph, and waits for its captions."""
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#caption li")


def read_status(page, section, text):
    """Waits for a text in the live region of a section, and returns all of it."""
    status = page.locator(f"#{section} .status", has_text=text)
    status.wait_for()
    assert status.get_attribute("role") == "status"
    return status.inner_text()


def ask_for(page, section, text):
    """Types into the field of a section, and presses Enter."""
    page.fill(f"#{section} input[type=text]", text)
    page.press(f"#{section} input[type=text]", "Enter")


def shares_of(element, frame):
    """Where an element lies in the frame, as ymin, xmin, ymax, xmax."""
    box, outer = element.bounding_box(), frame.bounding_box()
    top, left = box["y"] - outer["y"], box["x"] - outer["x"]
    return [
        top / outer["height"],
        left / outer["width"],
        (top + box["height"]) / outer["height"],
        (left + box["width"]) / outer["width"],
    ]
