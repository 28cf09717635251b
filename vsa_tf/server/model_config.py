"""One model that the server offers."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model's name, directory, and which of its versions are served.

    Attributes:
        name: of requests.
        base_path: directory of version folders, which have integers for names.
        policy: "latest", "all" or "specific".
        num_versions: of the policy "latest": how many, the newest.
        versions: of the policy "specific": which, a tuple of ints.
        labels: dict of label to version.
    """

    name: str
    base_path: str
    policy: str = "latest"
    num_versions: int = 1
    versions: tuple[int, ...] = ()
    labels: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not re.fullmatch("[^/:]+", self.name):
            raise ValueError(
                f"Expected a model name without '/' and ':'. Received: name={self.name!r}"
            )
        if self.policy not in ("latest", "all", "specific"):
            raise ValueError(
                f"Expected policy latest, all or specific. Received: policy={self.policy!r}"
            )
        if self.policy == "latest" and self.num_versions < 1:
            raise ValueError(
                f"Expected num_versions of 1 or more. Received: num_versions={self.num_versions}"
            )
        if self.policy == "specific" and not self.versions:
            raise ValueError("Expected versions for the policy specific. Received: none")

    def wanted(self, versions):
        """Returns those of `versions`, ints, that are to be served, a set."""
        if self.policy == "all":
            return set(versions)
        if self.policy == "specific":
            return set(versions) & set(self.versions)
        return set(sorted(versions)[-self.num_versions :])
