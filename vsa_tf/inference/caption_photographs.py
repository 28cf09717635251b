"""The work of `vsa_tf.caption`."""

import json
import sys

import numpy as np

from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch, Sampling
from vsa_tf.evaluation.caption_methods import generate_captions
from vsa_tf.inference.photograph_reader import PhotographReader
from vsa_tf.inference.region_batch import region_batch
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.program import ProgramError


def caption_photographs(options, paths, output=None):
    """Writes captions for image files, a JSON line each.

    Args:
        options: with the attributes of the program's flags (`vsa_tf.caption`).
        paths: list of image files.
        output: a text file; None: the standard output.

    Raises:
        ProgramError: the model, the encoder or the prefix cannot be used; or, when all others are
            done, some files could not be read.
    """
    output = output or sys.stdout
    trained = TrainedModel(options.model_dir)
    of_regions = trained.settings.model.captions_regions
    reader = PhotographReader(
        trained.inputs,
        trained.settings.data.image_size,
        options.image_encoder,
        options.detector if of_regions else None,
        # As many as detectors commonly keep; the model itself sees one at a time.
        20 if of_regions else 1,
    )
    writer = _Writer(trained, options)
    num_failed = 0
    for results, batch in reader.batches(paths):
        answers = iter(writer.answers(batch, of_regions) if batch else ())
        for path, reason in results:
            answer = next(answers) if reason is None else {"error": reason}
            num_failed += reason is not None
            print(json.dumps({"image": str(path), **answer}), file=output, flush=True)
    if num_failed:
        raise ProgramError(
            f"{num_failed} of {len(paths)} images could not be read; see their lines"
        )


class _Writer:
    """Writes captions for batches of images or of regions."""

    def __init__(self, trained, options):
        self._trained = trained
        self._prefix_tokens = trained.text.tokenize(options.prefix)
        unknown = [token for token in self._prefix_tokens if token not in trained.text.vocabulary]
        if unknown:
            print(f"warning: the model does not know {', '.join(unknown)}", file=sys.stderr)
        if len(self._prefix_tokens) >= options.max_words:
            raise ProgramError(
                f"--prefix has {len(self._prefix_tokens)} words; raise --max_words, which is "
                f"{options.max_words}"
            )
        self._generator = CaptionGenerator(trained.model, _decoder(options))

    def answers(self, batch, of_regions):
        """Returns what to say of each image, a list of dicts."""
        if not of_regions:
            return [{"captions": captions} for captions in self._captions(batch)]
        whole_frame = self._trained.settings.model.whole_frame
        regions = region_batch(batch, whole_frame)
        captions = iter(self._captions(regions))
        return [
            {
                "regions": [
                    {"box": [round(float(value), 6) for value in box], "captions": next(captions)}
                    for box in boxes[mask]
                ]
            }
            for boxes, mask in zip(batch["region_boxes"], batch["region_mask"])
        ]

    def _captions(self, batch):
        if self._prefix_tokens:
            ids = self._trained.text.vocabulary.encode(self._prefix_tokens)
            num_rows = len(batch["region_boxes"])
            batch = {**batch, "prefix": np.tile(np.int32(ids), (num_rows, 1))}
        text = self._trained.text
        generated = generate_captions(self._generator, [batch], text)
        return [
            [
                {
                    # The words as they were given, where the model knows them only as <unk>.
                    "text": text.join([*self._prefix_tokens, *tokens[len(self._prefix_tokens) :]]),
                    "log_prob": log_prob,
                    "tokens": tokens,
                    "token_log_probs": log_probs,
                }
                for tokens, log_prob, log_probs in zip(*rows)
            ]
            for rows in zip(generated.tokens, generated.log_probs, generated.token_log_probs)
        ]


def _decoder(options):
    if options.sample:
        return Sampling(
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            num_captions=options.num_captions,
            seed=options.seed,
            max_length=options.max_words,
        )
    if options.beam_size == 1:
        return GreedySearch(max_length=options.max_words)
    return BeamSearch(
        beam_size=options.beam_size,
        num_captions=options.num_captions,
        length_normalization=options.length_normalization,
        max_length=options.max_words,
    )
