import json

import pytest
from mini_flickr8k import jpeg
from source_samples import SAMPLES, change_json, copy_sample, read_all, skips

from tfrecords_tools.sources.region_descriptions import RegionDescriptions
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase

SAMPLE = SAMPLES / "regions"
GENOME = "visual_genome/region_descriptions.json"


def phrase(caption, num_words, chain):
    return AnnotatedPhrase(caption, 0, num_words, chain, "region")


def table(tmp_path, *rows, name="regions.csv"):
    """Returns the source of rows for the three photographs of the sample; all are of train."""
    path = tmp_path / name
    path.write_text("\n".join(rows) + "\n")
    return RegionDescriptions(SAMPLE / "images", path)


def descriptions(source):
    """Returns `{file name: [(caption, box)]}` of the split train."""
    found = {}
    for example in source.examples("train"):
        boxes = {item.chain: item.box for item in example.objects}
        found[example.filename] = [
            (example.captions[phrase.caption_index], boxes[phrase.chain])
            for phrase in example.phrases
        ]
    return found


def changed(tmp_path, change, name=GENOME):
    folder = copy_sample("regions", tmp_path)
    change_json(folder / name, change)
    return RegionDescriptions(folder / "images", folder / name.partition("/")[0])


class TestVisualGenome:
    def test_a_description_is_a_caption_that_is_one_phrase_of_one_box(self):
        source = RegionDescriptions(SAMPLE / "images", SAMPLE / "visual_genome")
        examples = read_all(source)["train"]
        assert list(examples) == ["1.jpg", "2.jpg", "3.jpg"]
        example = examples["1.jpg"]
        assert example.captions == (
            "the clock is green in colour",
            "a clock on a pole",
            "shade along the street",
        )
        # x 6, y 4, 30 wide and 20 high in 60 x 40: two speak of it. The lowest quarter.
        clock, shade = (4 / 40, 6 / 60, 24 / 40, 36 / 60), (30 / 40, 0.0, 1.0, 1.0)
        assert example.objects == (AnnotatedBox("1", clock), AnnotatedBox("2", shade))
        assert example.phrases == (phrase(0, 6, "1"), phrase(1, 5, "1"), phrase(2, 4, "2"))
        assert example.read_image() == (SAMPLE / "images" / "1.jpg").read_bytes()
        assert source.skipped == []
        assert sorted(source.checksums()) == ["image_data.json", "region_descriptions.json"]

    def test_without_their_sizes_photographs_are_asked(self):
        source = RegionDescriptions(SAMPLE / "images", SAMPLE / GENOME)
        whole = RegionDescriptions(SAMPLE / "images", SAMPLE / "visual_genome")
        assert descriptions(source) == descriptions(whole)

    def test_the_size_is_that_of_the_file_where_the_photograph_is_stored_at_another(self, tmp_path):
        def double(images):
            images[1].update(width=40, height=60)

        source = changed(tmp_path, double, "visual_genome/image_data.json")
        assert descriptions(source)["2.jpg"] == [
            ("a man in sneakers", (3 / 60, 5 / 40, 30 / 60, 15 / 40))
        ]

    @pytest.mark.parametrize(
        ("values", "name", "reason"),
        [
            (
                {"x": 40},
                "region 1385",
                "a box outside the photograph of 20 x 30 pixels: ymin 3 xmin 40",
            ),
            ({"y": -9}, "region 1385", "a box outside the photograph of 20 x 30"),
            ({"width": 0}, "region 1385", "a box without area in the photograph of 20 x 30"),
            ({"width": -3}, "region 1385", "a box without area in"),
            (
                {"x": "5"},
                "region 1385",
                'Expected x, y, width and height as numbers. Received: ["5", 3, ',
            ),
            ({"y": float("nan")}, "region 1385", "Expected ymin,xmin,ymax,xmax as numbers"),
            ({"phrase": " "}, "region 1385", "'2.jpg': the caption is empty"),
            ({"phrase": 7}, "region 1385", "'2.jpg': the caption is no text: 7"),
            ({"region_id": 1383}, "region 1383", "a second description of this id"),
            ({"region_id": None}, "a region of 2.jpg", "Expected region_id, phrase, x, y"),
        ],
    )
    def test_what_cannot_be_used_is_listed(self, tmp_path, values, name, reason):
        source = changed(tmp_path, lambda content: content[1]["regions"][0].update(values))
        (found,) = skips(source)
        assert found[1] == name and found[2].startswith(reason), found
        assert sum(map(len, descriptions(source).values())) == 4

    def test_a_pixel_too_far_is_rounding(self, tmp_path):
        source = changed(tmp_path, lambda content: content[1]["regions"][0].update(x=-1, width=22))
        assert descriptions(source)["2.jpg"] == [("a man in sneakers", (3 / 30, 0.0, 1.0, 1.0))]
        assert source.skipped == []

    def test_regions_of_unknown_photographs_are_counted(self, tmp_path):
        source = changed(tmp_path, lambda content: content[0].update(id=77))
        (skip,) = source.skipped
        assert skip.reason == "'77.jpg' is not in --images" and skip.count == 3
        assert skip.entry()["count"] == 3
        assert list(descriptions(source)) == ["2.jpg", "3.jpg"]

    def test_wrong_boxes_are_said_at_once(self, tmp_path):
        source = changed(tmp_path, lambda content: content[1]["regions"][0].update(x=40))
        (note,) = [note for note in source.notes if "box" in note]
        assert note.startswith("rows left out: 1, first region 1385: a box outside")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("[{", "Expected JSON in region_descriptions.json"),
            (
                '[{"id": 1, "regions": 5}]',
                "Expected region descriptions in region_descriptions.json",
            ),
            ('[{"regions": []}]', "Expected rows path,ymin,xmin,ymax,xmax,sentence.*no usable row"),
            ("[]", "no usable row"),
            ('{"annotations": [{"id": 1, "caption": "a"}]}', "annotations of id and bbox"),
            ('[{"image_id": 1, "width": 0, "height": 4}]', "Received: a photograph 0 pixels long"),
            (f'[{{"image_id": 1, "width": 1{400 * "0"}, "height": 4}}]', "0 pixels long"),
        ],
    )
    def test_another_file_is_one_line(self, tmp_path, content, message):
        path = tmp_path / "region_descriptions.json"
        path.write_text(content)
        with pytest.raises(ValueError, match=message) as error:
            RegionDescriptions(SAMPLE / "images", path)
        assert "\n" not in str(error.value)


class TestRefCoco:
    def test_sentences_of_a_ref_are_of_the_box_that_it_names(self):
        source = RegionDescriptions(SAMPLE / "images", SAMPLE / "refcoco")
        found = read_all(source)
        assert {split: list(own) for split, own in found.items()} == {
            "train": ["1.jpg"],
            "dev": ["2.jpg"],
            "testA": ["3.jpg"],
        }
        example = found["train"]["1.jpg"]
        assert example.captions == ("left dog", "the big one")
        # x 15, y 10, 30 wide and 20 high in 60 x 40.
        assert example.objects == (AnnotatedBox("1", (0.25, 0.25, 0.75, 0.75)),)
        assert example.phrases == (phrase(0, 2, "1"), phrase(1, 3, "1"))
        assert source.skipped == []

    def test_a_ref_may_bring_its_box_itself(self, tmp_path):
        refs = json.loads((SAMPLE / "refcoco" / "refs.json").read_text())
        (tmp_path / "refs.json").write_text(
            json.dumps([{**refs[0], "file_name": "1.jpg", "bbox": [30, 0, 30, 40]}])
        )
        source = RegionDescriptions(SAMPLE / "images", tmp_path / "refs.json")
        right = (0.0, 0.5, 1.0, 1.0)
        assert descriptions(source)["1.jpg"] == [("left dog", right), ("the big one", right)]

    def test_a_ref_of_no_box_and_a_second_one_are_listed(self, tmp_path):
        def change(refs):
            refs[1]["ann_id"] = 9
            refs[2]["ref_id"] = 0

        assert [found[1:] for found in skips(changed(tmp_path, change, "refcoco/refs.json"))] == [
            ("ref 1", "no box of annotation 9: give the instances.json that has it"),
            ("ref 0", "a second description of this id"),
        ]

    def test_every_sentence_of_a_second_ref_is_counted(self, tmp_path):
        source = changed(
            tmp_path, lambda refs: refs.append(refs[0] | {"split": "val"}), "refcoco/refs.json"
        )
        assert [skip.count for skip in source.skipped] == [2]

    def test_without_instances_it_is_said_what_lacks(self):
        with pytest.raises(ValueError, match="First reason: no box of annotation 71: give the ins"):
            RegionDescriptions(SAMPLE / "images", SAMPLE / "refcoco" / "refs.json")

    def test_each_file_numbers_its_refs(self, tmp_path):
        refs = json.loads((SAMPLE / "refcoco" / "refs.json").read_text())
        refs[0]["sentences"] = [{"sent": "the dog on the left"}]
        (tmp_path / "plus.json").write_text(json.dumps(refs[:1]))
        source = RegionDescriptions(SAMPLE / "images", [SAMPLE / "refcoco", tmp_path / "plus.json"])
        assert [text for text, _ in descriptions(source)["1.jpg"]] == [
            "left dog",
            "the big one",
            "the dog on the left",
        ]
        assert source.skipped == []

    def test_a_ref_of_no_number_is_no_second_one(self, tmp_path):
        ref = {"image_id": 1, "file_name": "1.jpg", "bbox": [30, 0, 30, 40]}
        refs = [{**ref, "sentences": [{"sent": text}]} for text in ("left", "right")]
        refs.append({**refs[0], "bbox": None})
        (tmp_path / "refs.json").write_text(json.dumps(refs))
        source = RegionDescriptions(SAMPLE / "images", tmp_path / "refs.json")
        assert [text for text, _ in descriptions(source)["1.jpg"]] == ["left", "right"]
        (skip,) = source.skipped
        assert skip.source_id == "entry 3" and skip.reason.startswith("Expected a bbox or an ann_i")

    def test_files_that_number_photographs_or_boxes_otherwise_are_refused(self, tmp_path):
        folder = copy_sample("regions", tmp_path)
        with pytest.raises(ValueError, match="agree on photograph 1. Received: .* in "):
            RegionDescriptions(folder / "images", [folder / "refcoco", folder / "visual_genome"])
        other = json.loads((folder / "refcoco" / "instances.json").read_text())
        other["annotations"][1]["bbox"] = [1, 0, 9, 9]
        (folder / "refcoco" / "other.json").write_text(json.dumps(other))
        with pytest.raises(ValueError, match="agree on annotation 72. Received: "):
            RegionDescriptions(folder / "images", folder / "refcoco")


class TestTables:
    def test_rows_of_one_box_are_of_one_chain(self):
        source = RegionDescriptions(SAMPLE / "images", SAMPLE / "regions.csv")
        assert source.splits() == ("train", "dev")
        assert descriptions(source) == {
            "1.jpg": [
                ("a clock on a pole", (0.1, 0.1, 0.6, 0.6)),
                ("a green clock, high up", (0.1, 0.1, 0.6, 0.6)),
            ],
            "2.jpg": [("a man in sneakers", (0.1, 0.25, 1.0, 0.75))],
        }
        assert [len(example.objects) for example in source.examples("train")] == [1, 1]
        assert source.skipped == []

    def test_without_names_the_columns_are_in_their_order(self, tmp_path):
        source = table(tmp_path, "2.jpg,0,0.5,0.25,1,a man", "2.jpg,0,0,1,1,all of it")
        assert descriptions(source) == {
            "2.jpg": [("a man", (0, 0.5, 0.25, 1)), ("all of it", (0, 0, 1, 1))]
        }

    def test_boxes_may_be_in_pixels(self, tmp_path):
        # 20 wide and 30 high.
        source = table(tmp_path, "2.jpg,3,5,30,15,a man", "2.jpg,0,0,6,20,the sky")
        assert descriptions(source) == {
            "2.jpg": [("a man", (0.1, 0.25, 1, 0.75)), ("the sky", (0, 0, 0.2, 1))]
        }

    def test_json_serves_as_well(self, tmp_path):
        box = {"ymin": 0, "xmin": 0.5, "ymax": 0.25, "xmax": 1}
        entry = {"file_name": "2.jpg", "sentence": "a man", **box}
        for name, text in (("a.json", json.dumps([entry])), ("a.jsonl", json.dumps(entry))):
            source = table(tmp_path, text, name=name)
            assert descriptions(source) == {"2.jpg": [("a man", (0, 0.5, 0.25, 1))]}

    @pytest.mark.parametrize("names", [("image_id", "width", "height"), ("image_id",)])
    @pytest.mark.parametrize("text", [{"sentence": "a man"}, {"sentences": ["a man"]}])
    def test_rows_may_say_more_of_their_photographs(self, tmp_path, names, text):
        box = {"ymin": 0, "xmin": 0.5, "ymax": 0.25, "xmax": 1}
        entry = {"file_name": "2.jpg", **text, **box, **dict.fromkeys(names, 20)}
        source = table(tmp_path, json.dumps([entry]), name="a.json")
        assert descriptions(source) == {"2.jpg": [("a man", (0, 0.5, 0.25, 1))]}

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (
                "2.jpg,0,0,50,50,a man",
                "a box outside the photograph: ymin 0 xmin 0 ymax 50 xmax 50",
            ),
            ("2.jpg,0,-0.2,1,1,a man", "a box outside the photograph: ymin 0 xmin -0.2"),
            ("2.jpg,0.5,0,0.5,1,a man", "a box without area in the photograph: ymin 0.5"),
            ("2.jpg,0,0.7,1,0.3,a man", "a box without area in the photograph"),
            ("2.jpg,0,,1,1,a man", "Expected ymin,xmin,ymax,xmax as numbers. Received: ["),
            ("2.jpg,0,0,1,nan,a man", "Expected ymin,xmin,ymax,xmax as numbers"),
            ("2.jpg,0,0,1,1,", "'2.jpg': the caption is empty"),
            ("7.jpg,0,0,1,1,a man", "'7.jpg' is not in --images"),
            ("2.jpg,0,0,1,a man", "Expected path,ymin,xmin,ymax,xmax,caption[,split]. Received: 5"),
        ],
    )
    def test_a_row_that_cannot_be_used_is_listed(self, tmp_path, row, reason):
        source = table(tmp_path, "1.jpg,0,0,1,1,a", "1.jpg,0,0,1,0.5,b", row)
        (found,) = skips(source)
        assert found[1] == "line 3" and found[2].startswith(reason), found
        assert len(descriptions(source)["1.jpg"]) == 2

    def test_each_kind_of_what_is_left_out_is_said_with_its_number(self, tmp_path):
        rows = [
            *("2.jpg,0,0,1,1,a man", "2.jpg,0,0,2,1,a", "2.jpg,0,-3,1,1,b", "2.jpg,0,x,1,1,c"),
            *("2.jpg,0,0,1,1,", "1.jpg,0,0,1,1,", "2.jpg,0,0,1,1,...", "1.jpg,0,0,1,1,???"),
            *("7.jpg,0,0,1,1,a", "8.jpg,0,0,1,1,b", "2.jpg,0,0,1,a", "2.jpg,0.5,0,0.5,1,d"),
        ]
        source = table(tmp_path, *rows)
        said = [note for note in source.notes if note.startswith("rows left out: ")]
        for (count, line, reason), note in zip(
            (
                (1, 11, "Expected path,ymin"),
                (2, 2, "a box outside the photograph: ymin 0 xmin 0 ymax 2"),
                (1, 4, "Expected ymin,xmin,ymax,xmax as numbers"),
                (2, 5, "'2.jpg': the caption is empty"),
                (2, 7, "'2.jpg': the caption has no word: '...'"),
                (2, 9, "'7.jpg' is not in --images"),
                (1, 12, "a box without area in the photograph"),
            ),
            said,
            strict=True,
        ):
            assert note.startswith(f"rows left out: {count}, first line {line}: {reason}")

    def test_columns_of_boxes_that_are_missing_are_named(self, tmp_path):
        every = "Received: no ymin, xmin, ymax, xmax"
        with pytest.raises(ValueError, match=f"no usable row. First reason: .*{every}"):
            table(tmp_path, "path,x,y,width,height,sentence", "2.jpg,1,2,3,4,a man")
        with pytest.raises(ValueError, match="Received: no ymax, xmax"):
            table(tmp_path, "path,ymin,xmin,height,width,sentence", "2.jpg,0,0,1,1,a man")
        box = {"ymin": 0, "xmin": 0, "ymax": None}
        entry = {"path": "2.jpg", "sentence": "a man", **box}
        with pytest.raises(ValueError, match="Received: no ymax, xmax"):
            table(tmp_path, json.dumps([entry]), name="a.json")

    def test_shares_among_pixels_are_listed(self, tmp_path):
        source = table(tmp_path, "1.jpg,0,0,30,30,a", "1.jpg,4,0,40,60,b", "1.jpg,0,0,1,1,c")
        (found,) = skips(source)
        assert found[2] == "a box of shares among boxes of pixels: ymin 0 xmin 0 ymax 1 xmax 1"

    def test_percent_is_refused(self, tmp_path):
        images = tmp_path / "images"
        images.mkdir()
        (images / "a.jpg").write_bytes(jpeg(300, 400))
        path = tmp_path / "regions.csv"
        path.write_text("a.jpg,0,0,50,50,a dog\na.jpg,10,10,90,100,a cat\n")
        with pytest.raises(
            ValueError,
            match="numbers up to 100 .* look like percent. Give shares.* if they are pixels by",
        ):
            RegionDescriptions(images, path)
        # 300 x 400 has such pixels, but not these alone.
        path.write_text("a.jpg,0,0,50,50,a dog\na.jpg,10,10,90,101,a cat\n")
        assert len(list(RegionDescriptions(images, path).examples("train"))) == 1
