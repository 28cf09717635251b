from vsa_tf.reporting.report_page import Card

LEFT, RIGHT, WHOLE = (0, 0, 1, 0.5), (0, 0.5, 1, 1), (0, 0, 1, 1)
PHOTOGRAPH = {"file": "0.jpg", "width": 4, "height": 3}


def test_a_box_is_kept_once_with_a_colour_of_its_own():
    card = Card(PHOTOGRAPH)
    assert [card.add_box(box) for box in (LEFT, RIGHT, LEFT)] == [[0], [1], [0]]
    first, second = card.content["boxes"]
    assert first["box"] == [0, 0, 1, 0.5]
    assert first["color"] != second["color"]


def test_a_true_box_has_no_colour_and_is_another_than_the_one_found():
    card = Card(PHOTOGRAPH)
    assert [card.add_box(LEFT), card.add_box(LEFT, is_truth=True)] == [[0], [1]]
    assert card.content["boxes"][0]["color"] is not None
    assert card.content["boxes"][1]["color"] is None


def test_the_whole_frame_is_drawn_only_where_people_drew_it():
    card = Card(PHOTOGRAPH)
    assert card.add_box(WHOLE) == []
    assert card.add_box(WHOLE, is_truth=True) == [0]


def test_boxes_end_at_the_frame():
    card = Card(PHOTOGRAPH)
    card.add_box((-0.25, 0.5, 1.25, 0.75))
    assert card.content["boxes"][0]["box"] == [0, 0.5, 1, 0.75]


def test_there_are_colours_for_any_number_of_boxes():
    card = Card(PHOTOGRAPH)
    for number in range(30):
        assert card.add_box((0, 0, 0.5, (number + 1) / 40)) == [number]


def test_control_characters_are_replaced_in_all_that_is_text():
    card = Card(PHOTOGRAPH, "a\0b", "c\x1bd")
    card.add_line([Card.part("e\u202ef", note="g\x7fh")], note="i\nj")
    (line,) = card.content["lines"]
    assert (card.content["title"], card.content["note"]) == ("a\ufffdb", "c\ufffdd")
    assert (line["parts"][0]["text"], line["parts"][0]["note"]) == ("e\ufffdf", "g\ufffdh")
    assert line["note"] == "i j"
