"""A cell: one entry of a table × one seed, and the identity that decides whether two cells are the same.

The identity is the SHA-256 of the canonical JSON of everything that decides the cell's numbers. Fields
with a default are features that are off by default; at their default they are left out of the canonical
form. So a feature added later does not make earlier records stale, and a default must never be changed.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator, model_validator

from clopbench.identity import ID_DIGITS, digest, identity
from clopbench.parameters import (
    AtLeastOne,
    Count,
    Fraction,
    Momentum,
    NonNegative,
    Positive,
    Share,
    Strict,
    Whole,
    validated,
)
from clopbench.seeds import Stream
from clopbench.study import StudyConfig

FIXED_SEED = 1_000_000
"""What the other streams grow from where one varies alone: beyond the seeds that `--seeds N` counts up to, so
that no run is common to the rows of a table in which different streams vary."""
CLASS_NUMBER = re.compile("0|[1-9][0-9]{0,8}")


class MethodConfig(Strict):
    """A plug-in with all its parameters, defaults filled in."""

    name: str
    version: int
    parameters: dict[str, Any]


class DataConfig(Strict):
    """The data set, which of its training images are kept and which of their labels are shown.

    class_fractions keeps a share of the images of each class, by class number (authors' class.txt);
    imbalance_factor > 1 keeps an exponential long tail instead. label_noise is the share of shown labels
    that are replaced by another class. label_fraction is per class, at least one label each.
    """

    name: str
    version: int
    label_fraction: Fraction = 1.0
    class_fractions: dict[str, Fraction] | None = None
    imbalance_factor: AtLeastOne = 1.0
    label_noise: Share = 0.0

    @field_validator("class_fractions", mode="before")
    @classmethod
    def _numbers_as_text(cls, value: Any) -> Any:
        """YAML reads class numbers as integers; JSON, and so the identity, has only text for keys."""
        if not isinstance(value, Mapping):
            return value
        named = {str(key): share for key, share in value.items()}
        if len(named) < len(value):
            raise ValueError("a class is given twice, as a number and as text")
        for number in named:
            if not CLASS_NUMBER.fullmatch(number):
                raise ValueError(f"maps class numbers to fractions: {number!r} is no number of a class")
        return named

    @model_validator(mode="after")
    def _one_kind_of_imbalance(self) -> "DataConfig":
        if self.class_fractions is not None and self.imbalance_factor > 1:
            raise ValueError("class_fractions and imbalance_factor exclude each other")
        return self


class EncoderConfig(Strict):
    """`residual`: three residual blocks of `width`, 2·width and 4·width channels. ResNets: torchvision's.

    For a ResNet, `width` multiplies every channel (SimCLR's 4x is 4) and `inner_width` the inner 3×3
    convolutions of bottlenecks only (authors' code); stem "cifar" is a 3×3 convolution without pooling.
    """

    name: Literal["residual", "resnet18", "resnet50"]
    width: Count
    inner_width: Count = 1
    stem: Literal["cifar", "imagenet"] = "cifar"


class ProjectionConfig(Strict):
    """Two-layer projection head: features → `hidden` [→ batch norm] → `dim` (the embedding dimension)."""

    dim: Count
    hidden: Count
    batch_norm: bool = False


class TrainingConfig(Strict):
    """Optimiser and schedule: linear warm-up, then cosine to zero, both per step.

    learning_rate_rule: "linear" is learning_rate · B/256, "sqrt" is learning_rate · √B. schedule "authors"
    steps the cosine once an epoch but tells it the number of steps, so that it hardly decays (authors' code).
    momentum is AdamW's β₁. lars_adapt_all follows the authors' code, where biases and norms are adapted and
    decayed too. micro_batch: images that pass the encoder at once; the loss is still that of the whole
    batch, but batch norm sees one micro-batch at a time. devices: processes that share each batch (data
    parallel: loss and batch norm are still those of the whole batch, so that only rounding differs).
    """

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    momentum: Momentum
    weight_decay: NonNegative
    warmup_epochs: Whole
    optimizer: Literal["sgd", "adamw", "lars"] = "sgd"
    learning_rate_rule: Literal["constant", "linear", "sqrt"] = "constant"
    schedule: Literal["cosine", "authors"] = "cosine"
    lars_trust: Positive = 0.001
    lars_adapt_all: bool = False
    precision: Literal["fp32", "bf16"] = "fp32"
    micro_batch: Count | None = None
    devices: Count = 1

    @model_validator(mode="after")
    def _batches_are_shared_evenly(self) -> "TrainingConfig":
        if self.batch_size % self.devices:
            raise ValueError(f"batch_size {self.batch_size} cannot be shared evenly by devices {self.devices}")
        if self.devices > 1 and self.micro_batch is not None:
            raise ValueError("micro_batch and devices above 1 exclude each other; devices save memory too")
        return self


RecipeName = Literal[
    "digits",
    "none",
    "crop_flip",
    "shift",
    "simclr",
    "simclr_blur",
    "autoaugment_cifar",
    "autoaugment_imagenet",
    "randaugment",
    "randaugment_3_18",
]


class AugmentationConfig(Strict):
    """The recipe of every view, unless the method names its own views."""

    name: RecipeName


class EvaluationConfig(Strict):
    """How frozen features are judged; below the effective rank `collapse_rank` a run counts as collapsed.

    probe "lbfgs" is logistic regression on cached features of inverse L2 strength `probe_c`; "sgd" and "lars"
    train the linear layer on augmented images (paper's protocol; `probe_augmentation` none: the
    training's), for which the other `probe_…` fields are, and `probe_c` is not. probe_normalised: on
    L2-normalised features (authors' code).

    transfer: further data sets on which the frozen encoder is judged by L-BFGS with `probe_c`, each with its
    version (declared as a list of names). detection: the data set of boxes on which Faster R-CNN is trained
    from the encoder, for which the `detection_…` fields are; detection_frozen: also with the encoder kept as
    it is. detection_image_size: pixels of an image's shorter side.

    validation: share of each class's labelled images that training never sees, to choose an epoch by. Metrics
    of the best epoch then stand beside those of the last one, with `_best` after their names.
    """

    probe_c: Positive
    knn: Count
    collapse_rank: NonNegative
    probe: Literal["lbfgs", "sgd", "lars"] = "lbfgs"
    probe_epochs: Count = 100
    probe_batch_size: Count = 256
    probe_learning_rate: Positive | None = None
    probe_weight_decay: NonNegative = 0.0
    probe_augmentation: RecipeName | None = None
    probe_normalised: bool = False
    transfer: dict[str, int] = {}
    detection: str | None = None
    detection_version: int | None = None
    detection_frozen: bool = False
    detection_epochs: Count = 24
    detection_batch_size: Count = 16
    detection_learning_rate: Positive = 0.02
    detection_image_size: Count = 600
    validation: Share = 0.0

    @model_validator(mode="after")
    def _fields_of_the_probe(self) -> "EvaluationConfig":
        if self.probe != "lbfgs" and self.validation > 0:
            raise ValueError("validation goes with probe lbfgs only")
        if self.probe != "lbfgs" and self.probe_learning_rate is None:
            raise ValueError(f"probe {self.probe} needs a probe_learning_rate")
        for name, field in type(self).model_fields.items():
            of_training = name.startswith("probe_") and not field.is_required()
            if self.probe == "lbfgs" and of_training and getattr(self, name) != field.default:
                raise ValueError(f"{name} goes with probe sgd or lars only")
            if (
                name.startswith("detection_")
                and self.detection is None
                and getattr(self, name) != field.default
            ):
                raise ValueError(f"{name} goes with detection only")
        return self


class SeedingConfig(Strict):
    """Which random streams follow the cell's seed.

    varies: the only one that does, the others staying as seed FIXED_SEED has them; None: all of them do.
    """

    varies: Stream | None = None


class Cell(Strict):
    """Everything that decides one run's numbers."""

    method: MethodConfig
    data: DataConfig
    encoder: EncoderConfig
    projection: ProjectionConfig
    training: TrainingConfig
    augmentation: AugmentationConfig
    evaluation: EvaluationConfig
    seed: Whole
    seeding: SeedingConfig = SeedingConfig()
    study: StudyConfig | None = None
    """None: an ordinary training. A study says what is measured instead."""

    @model_validator(mode="after")
    def _one_process_chooses_the_epoch(self) -> "Cell":
        if self.evaluation.validation > 0 and self.training.devices > 1:
            raise ValueError("evaluation.validation and training.devices above 1 exclude each other")
        return self

    def seed_of(self, stream: Stream) -> int:
        """The seed that a random stream of this cell grows from."""
        return self.seed if self.seeding.varies in (None, stream) else FIXED_SEED

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Cell":
        """Rebuild a cell from `config()`. Raises UserError naming the first field that is wrong."""
        return validated(cls, config, "")

    def config(self) -> dict[str, Any]:
        """The whole cell as plain data, defaults included."""
        return self.model_dump(mode="json")

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical form."""
        return identity(self.canonical())

    @property
    def arm(self) -> str:
        """The identity without the seed: cells of one arm are the repetitions of one table entry."""
        canonical = self.canonical()
        del canonical["seed"]
        return digest(canonical)[:ID_DIGITS]

    def canonical(self) -> dict[str, Any]:
        """What the identity is computed from: everything but defaults, and of a study what decides it."""
        canonical = self.model_dump(mode="json", exclude_defaults=True)
        return canonical if self.study is None else self.study.deciding(canonical)
