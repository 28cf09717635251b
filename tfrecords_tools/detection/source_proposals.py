"""The detector of `--detector=proposals`."""

import numpy as np


class SourceProposals:
    """The proposals that the data set itself brings."""

    def describe(self):
        return {"spec": "proposals"}

    def check(self, examples):
        """Refuses examples that have none.

        Raises:
            ValueError: naming the first.
        """
        for example in examples:
            if not example.proposals:
                raise ValueError(
                    f"--detector=proposals: {example.source_id} comes without proposals; give "
                    "them as --detector=proposals:FILE.json"
                )

    def detect(self, images, examples):
        self.check(examples)
        return [
            (np.array(e.proposals, np.float32), np.array(e.proposal_scores, np.float32))
            for e in examples
        ]
