"""Readers that import TensorFlow, scikit-learn or faiss, or are slow: for the long form."""

import numpy as np

from tests.fuzz.reader import Reader

_SENTENCES = [["a", "dog", "läuft"], ["a", "cat"]]


def _features():
    """Returns small sentence features by name."""
    from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
    from vsa_tf.sentence_features.fisher_vector import FisherVector
    from vsa_tf.sentence_features.hybrid_mixture import HybridMixture
    from vsa_tf.sentence_features.principal_components import PrincipalComponents
    from vsa_tf.sentence_features.word_vector_table import WordVectorTable

    rng = np.random.default_rng(0)
    words = WordVectorTable(["a", "cat", "dog", "läuft"], rng.normal(size=(4, 3)))
    mixture = HybridMixture(
        np.array([0.25, 0.75]),
        rng.normal(size=(2, 3)),
        np.ones((2, 3)),
        np.array([[True, False, True], [False, False, True]]),
    )
    components = PrincipalComponents(np.zeros(12), rng.normal(size=(12, 2)))
    return {
        "mean_vector": MeanVector(words),
        "tf_idf": TfIdf.fit(_SENTENCES),
        "fisher_vector": FisherVector(words, mixture, components),
    }


def _read_feature(folder):
    from vsa_tf.model_dir.trained_model import load_sentence_feature

    return load_sentence_feature(folder / "feature.npz").transform(_SENTENCES).tolist()


def _write_model_dir(folder):
    from vsa_tf.data.caption_text import CaptionText
    from vsa_tf.model_dir.trained_model import save_text
    from vsa_tf.settings import Settings
    from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

    types = RelationTypes.from_relations(["det", "nsubj", "det"])
    text = CaptionText(Vocabulary.from_sentences(_SENTENCES), "word", relation_types=types)
    save_text(folder, text)
    settings = Settings.of("defrag", data_dir="data", model_dir="model")
    inputs = {"encoder": {}, "num_regions": 1, **text.fingerprints()}
    (folder / "config.json").write_text(settings.to_json(inputs))


def _read_model_dir(folder):
    from vsa_tf.model_dir.trained_model import trained_text
    from vsa_tf.settings import Settings

    settings = Settings.load(folder)
    text = trained_text(folder, settings, Settings.load_inputs(folder))
    return settings, text.fingerprints()


def _write_records(folder):
    from tests.data.small_records import write_records
    from vsa_tf.data.dataset_info import DatasetInfo
    from vsa_tf.files import sealed, write_json

    write_records(folder, num_images=4, images_stored=True)
    write_json(folder / "dataset_info.json", sealed(DatasetInfo.load(folder).contents))


def _read_records(folder):
    from vsa_tf.data.record_split import RecordSplit

    records = RecordSplit(folder, "train", feature_cache_bytes=0)
    features = records.read_region_features(list(range(len(records.filenames))))
    return records.captions, records.region_boxes.tolist(), np.asarray(features).tolist()


def _checked_records(folder):
    """The problems that `tfrecords_tools.inspect --check` lists."""
    from tfrecords_tools.record_checking import check_records

    return bool(check_records(folder))


def _write_export(folder):
    import tensorflow as tf

    from vsa_tf.inference.model_card import write_model_card

    (folder / "words.txt").write_text("dog\ncat\n")
    module = tf.Module()
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    words = tf.lookup.TextFileInitializer(
        str(folder / "words.txt"), tf.string, line, tf.int64, number
    )
    module.table = tf.lookup.StaticHashTable(words, -1)
    module.weights = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3))

    def embed(sentences):
        return {"embedding": tf.gather(module.weights, tf.maximum(module.table[sentences], 0))}

    traced = tf.function(
        embed, input_signature=[tf.TensorSpec([None], tf.string, "sentences")], autograph=False
    )
    module.embed = traced
    tf.saved_model.save(
        module, str(folder / "1"), {"embed_sentence": traced.get_concrete_function()}
    )
    (folder / "words.txt").unlink()
    empty = dict.fromkeys(("limits", "answers", "image_encoder", "detector", "evaluation"), {})
    card = {"model": "m", "sentences": "", "needs_tensorflow_text": False, "signatures": {}}
    card |= {"written_with": {}, "training_flags": [], "default_signature": "embed_sentence"}
    write_model_card(folder / "1", {**card, **empty})


def _ask_export(folder):
    from vsa_tf.inference.exported_model import ExportedModel

    model = ExportedModel(folder)
    return model.signatures, model.call("embed_sentence", sentences=["cat"])


def _write_request(folder):
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "a"
    tensor = request.inputs["sentences"]
    tensor.dtype = 7
    tensor.tensor_shape.dim.add().size = 2
    tensor.string_val.extend([b"a dog", b"a cat"])
    (folder / "request").write_bytes(request.SerializeToString())
    (folder / "body.json").write_text('{"signature_name": "a", "inputs": {"x": [[1, 2.5], [3]]}}')


def _read_request(folder):
    from tensorflow_serving.apis import predict_pb2

    from vsa_tf.errors import VsaTfError
    from vsa_tf.server.json_request import read_json_object
    from vsa_tf.server.request_limits import RequestLimits, ServingError
    from vsa_tf.server.tensor_protos import from_tensor_proto, read_message

    try:
        read_json_object((folder / "body.json").read_bytes(), RequestLimits())
        data = (folder / "request").read_bytes()
        request = read_message(predict_pb2.PredictRequest, data, 1000, 1 << 20)
        return {name: from_tensor_proto(proto) for name, proto in request.inputs.items()}
    except ServingError as error:  # what a client is told
        return VsaTfError(str(error))


def _write_approximate(folder):
    from vsa_tf.search_index.approximate_index import ApproximateIndex
    from vsa_tf.search_index.embedded import Embedded
    from vsa_tf.search_index.index_directory import IndexManifest, IndexShard
    from vsa_tf.search_index.search_index import SearchIndex

    IndexManifest({"server": "h:1"}, "distance", "float32", {}).save(folder)
    vectors = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    columns = {"sentence": [f"a dog {number}" for number in range(200)]}
    IndexShard.write(folder, columns, Embedded("sentences", vectors))
    ApproximateIndex.build(SearchIndex(folder), "sentences")


def _ask_approximate(folder):
    from vsa_tf.search_index.approximate_index import ApproximateIndex
    from vsa_tf.search_index.embedded import Embedded

    query = Embedded("sentences", np.float32([[1, 2, 3, 4]]))
    found = ApproximateIndex.load(folder, "sentences").candidates(query, 3)
    return {name: rows.tolist() for name, rows in found.items()}


READERS = (
    *(
        Reader(
            name,
            lambda folder, name=name: _features()[name].save(folder / "feature.npz"),
            _read_feature,
            is_checked=True,
            is_slow=True,
        )
        for name in ("mean_vector", "tf_idf", "fisher_vector")
    ),
    Reader("model_dir", _write_model_dir, _read_model_dir, is_checked=True, is_slow=True),
    Reader("records", _write_records, _read_records, is_checked=True, is_slow=True),
    Reader("checked_records", _write_records, _checked_records, is_slow=True),
    Reader("export", _write_export, _ask_export, ("1/**/*",), is_checked=True, is_slow=True),
    Reader("requests", _write_request, _read_request, is_slow=True),
    Reader(
        "approximate_index",
        _write_approximate,
        _ask_approximate,
        ("*.json", "*.faiss"),
        is_checked=True,
        is_slow=True,
    ),
)
