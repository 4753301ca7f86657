"""Declarations of table 7 that are wrong: what is written in place of what, and what the messages hold."""

BENCHMARK, TABLE, SCALE = "benchmarks/table7.yaml", "tables/table7.yaml", "benchmarks/scale/laptop.yaml"
RANDOM = "random: {method.prototypes: random}"
TITLE = 'title: "Orthonormal against random prototypes"'
SHARE = "data:\n  label_fraction: 1.0"
METHOD = "method:\n  name: clop\n  base: simclr\n  similarity: cosine\n  weight: 1.0\n  temperature: 0.2\n"
DEFAULTS = "defaults:\n  - scale: laptop\n  - _self_\n"
SECOND = '    than: {prototypes: random}\n    paper: "0.780'

# What a point says: (its line in place of RANDOM, what the messages hold; one message each).
POINTS = {
    "unknown section": (
        "random: {methd.prototypes: random}",
        ["18: axes.prototypes.random.methd.prototypes: unknown section 'methd': did you mean 'method'?"],
    ),
    "unknown field": (
        "random: {training.epoch: 30}",
        [".training.epoch: unknown field; did you mean 'epochs'?"],
    ),
    "unknown nested field": (
        "random: {encoder: {wdth: 3}}",
        [".encoder.wdth: unknown field; did you mean 'width'?"],
    ),
    "three at once": (
        "random: {encoder.wdth: 3, trainin.epochs: 2, method.x: 1}",
        ["encoder.wdth", "unknown section 'trainin'", "unknown parameter of method clop 'x'"],
    ),
    "how it is run": (
        "random: {launch.threads: 2}",
        ["launch.threads: a point says what is computed, not how it is run"],
    ),
    "how it is run, nested": (
        "random: {launch: {threads: 2}}",
        ["launch.threads: a point says what is computed"],
    ),
    "seed": ("random: {seed: 5}", ["random.seed: a point cannot set it: --seeds does"]),
    "scale": ("random: {scale.name: x}", ["scale.name: a point cannot set it: --scale does"]),
    "scale, nested": ("random: {scale: {name: x}}", ["random.scale: a point cannot set it"]),
    "version of the data": (
        "random: {data.version: 7}",
        ["data.version: cannot be set: it is the data set's own"],
    ),
    "version of the boxes": ("random: {evaluation.detection_version: 7}", ["detection_version: cannot be set"]),
    "version of the method": ("random: {method.version: 2}", ["method.version: cannot be set"]),
    "a study where there is none": ("random: {study.pairs: 3}", ["study.pairs: this benchmark has no study"]),
    "section without a field": ("random: {training: 5}", ["random.training: needs a field"]),
    "title": ("random: {title: x}", ["random.title: unknown section 'title'"]),
    "number as a key": ("random: {5: 1}", ["random.5: unknown section '5'"]),
    "nothing": ("random:", ["axes.prototypes.random: input should be a valid dictionary (got None)"]),
    "no mapping": (
        "random: [method.prototypes]",
        ["axes.prototypes.random: input should be a valid dictionary"],
    ),
    "dotted and nested": (
        "random: {method.prototypes: random, method: {prototypes: equal}}",
        ["'method.prototypes' is given twice, dotted and nested"],
    ),
    "unknown parameter": (
        "random: {method.wieght: 1}",
        ["method.wieght: unknown parameter of method clop 'wieght': did you mean 'weight'?"],
    ),
    "unknown method": (
        "random: {method.name: simcrl}",
        ["method.name: unknown method 'simcrl': did you mean 'simclr'?"],
    ),
    "method of another method's parameters": (
        "random: {method.name: simclr}",
        ["method.base: unknown parameter of method simclr 'base'", "'similarity'", "'weight'"],
    ),
    "list for a name": ("random: {data.name: [a]}", ["data.name: must name a data set (got ['a'])"]),
    "unknown data": (
        "random: {data.name: cifar11}",
        ["data.name: unknown data set 'cifar11': did you mean 'cifar10'?"],
    ),
    "interpolation": (
        "random: {data.name: '${oc.env:HOME}'}",
        ["data.name: unknown data set '${oc.env:HOME}'"],
    ),
    "transfer without a list": (
        "random: {evaluation.transfer: digits}",
        ["evaluation.transfer: must be a list of data sets"],
    ),
    "transfer to one set twice": (
        "random: {evaluation.transfer: [digits_seen, digits_unseen, digits_seen]}",
        ["evaluation.transfer: 'digits_seen' is listed twice"],
    ),
    "not a number": (
        "random: {training.learning_rate: .nan}",
        ["learning_rate: input should be a finite number (got nan)"],
    ),
    "infinite": (
        "random: {training.weight_decay: .inf}",
        ["weight_decay: input should be a finite number (got inf)"],
    ),
    "negative": ("random: {training.epochs: -1}", ["training.epochs: input should be greater than 0 (got -1)"]),
    "octal": (
        "random: {training.epochs: 030}",
        ["training.epochs: input should be a valid integer (got '030')"],
    ),
    "warm-up": ("random: {training.epochs: 2}", ["training.epochs: warmup_epochs = 3 is more than epochs = 2"]),
    "one image": ("random: {training.batch_size: 1}", ["training.batch_size: must be at least 2"]),
    "class twice": (
        "random: {data.class_fractions: {0: 0.5, '0': 0.4}}",
        ["class_fractions: a class is given twice"],
    ),
    "no class": ("random: {data.class_fractions: {first: 0.5}}", ["'first' is no number of a class"]),
    "uneven": (
        "random: {training.devices: 3}",
        ["training: batch_size 256 cannot be shared evenly by devices 3"],
    ),
    "the same cell": (
        f"{RANDOM}\n    again: {{method: {{prototypes: random}}}}",
        ["19: axes.prototypes.again: 'random' and 'again' are the same cell; if that is meant, say 'same"],
    ),
    "the same cell by a default": (
        "random: {data.label_noise: 0.0}",
        ["'orthonormal' and 'random' are the same cell"],
    ),
    "same as nothing": (
        f"{RANDOM}\n    b: {{same_as: randm}}",
        ["b.same_as: unknown other point of axis prototypes 'randm': did you mean 'random'?"],
    ),
    "same as itself": (
        f"{RANDOM}\n    b: {{same_as: b}}",
        ["b.same_as: unknown other point of axis prototypes 'b'"],
    ),
    "same as a list": (f"{RANDOM}\n    b: {{same_as: [random]}}", ["b.same_as: unknown other point"]),
    "same as one of the kind": (
        f"{RANDOM}\n    b: {{same_as: c}}\n    c: {{same_as: random}}",
        ["b.same_as: 'c' is itself the same as 'random'; name that one"],
    ),
    "same and yet another": (
        f"{RANDOM}\n    b: {{same_as: random, method.weight: 2.0}}",
        ["b.same_as: is another cell than 'random'"],
    ),
    "number and text": (
        '0.1: {method.prototypes: random}\n    "0.1": {method.weight: 2.0}',
        ["axes.prototypes: 0.1 and '0.1' are both called '0.1'"],
    ),
    "two numbers of one name": (
        "0.1: {method.prototypes: random}\n    0.10000001: {method.weight: 2.0}",
        ["axes.prototypes: 0.1 and 0.10000001 are both called '0.1'"],
    ),
    "two large numbers": (
        "1000000: {method.prototypes: random}\n    1000001: {method.weight: 2.0}",
        ["are both called '1e+06'"],
    ),
    "point twice": (
        f"{RANDOM}\n    random: {{method.weight: 2.0}}",
        ["19: axes.prototypes.random: given twice, the first time in line 18"],
    ),
    "key twice": ("random: {method.weight: 2.0, method.weight: 3.0}", ["random.method.weight: given twice"]),
}

# The rest of the file: (old, new, messages).
OF_A_BENCHMARK = {
    "unknown field": ("title:", "titel:", ["13: titel: unknown field; did you mean 'title'?"]),
    "hydra's own": (TITLE, f"hydra: {{run: {{dir: x}}}}\n{TITLE}", ["13: hydra: unknown field"]),
    "dotted at the top": (
        TITLE,
        f"training.epochs: 3\n{TITLE}",
        ["13: training.epochs: unknown field; did you mean 'training'?"],
    ),
    "no defaults": (DEFAULTS, "", ["defaults: must be a list that begins with 'scale: NAME'"]),
    "defaults a word": (
        DEFAULTS,
        "defaults: laptop\n",
        ["9: defaults: must be a list that begins with 'scale: NAME'"],
    ),
    "defaults in the wrong order": (
        DEFAULTS,
        "defaults: [_self_, {scale: laptop}]\n",
        ["9: defaults: must be a list that begins"],
    ),
    "defaults without a scale": (DEFAULTS, "defaults: [_self_]\n", ["9: defaults: must be a list that begins"]),
    "unknown scale": (
        "- scale: laptop",
        "- scale: laptob",
        ["10: defaults.0: unknown scale 'laptob': did you mean 'laptop'?"],
    ),
    "a loop": (
        DEFAULTS,
        "defaults: [{scale: laptop}, table7, _self_]\n",
        ["9: defaults: a loop: table7 → table7"],
    ),
    "no such file": (
        DEFAULTS,
        "defaults: [{scale: laptop}, base/x, _self_]\n",
        ["9: defaults.1: there is no file benchmarks/base/x.yaml"],
    ),
    "hydra's grammar of defaults": (
        DEFAULTS,
        "defaults: [{scale: laptop}, {optional x: y}, _self_]\n",
        ["9: defaults.1: no name of a file"],
    ),
    "other package": ("# Table 7", "# @package foo\n# Table 7", ["# @package must be _global_ (got foo)"]),
    "method without a name": ("method:\n  name: clop", "method:", ["20: method.name: required, but not given"]),
    "method a list": (
        METHOD,
        "method: [clop]\n",
        ["20: method: input should be a valid dictionary (got ['clop'])"],
    ),
    "method's name a list": (
        "name: clop",
        "name: [clop]",
        ["21: method.name: must name a method (got ['clop'])"],
    ),
    "no method": (METHOD, "", ["method: required, but not given"]),
    "section a number": (SHARE, "data: 5", ["27: data: input should be a valid dictionary (got 5)"]),
    "section empty": (SHARE, "data:", ["27: data: input should be a valid dictionary (got None)"]),
    "unknown key of a section": (
        SHARE,
        "data:\n  labels: 4",
        ["28: data.labels: unknown field; did you mean 'label_noise'?"],
    ),
    "version": (SHARE, "data:\n  version: 4", ["28: data.version: cannot be set"]),
    "interpolation": (
        SHARE,
        "data:\n  label_fraction: ${x}",
        ["28: data.label_fraction: input should be a valid number (got '${x}')"],
    ),
    "hydra's mark of nothing": (SHARE, "training:\n  epochs: ???", ["28: training.epochs: '???' is no value"]),
    "unknown key of launch": (
        SHARE,
        "launch: {thread: 4}",
        ["27: launch.thread: unknown field; did you mean 'threads'?"],
    ),
    "at a scale": (
        SHARE,
        "at_scale: {laptop: {launch.thread: 8}}",
        ["27: at_scale.laptop.launch.thread: unknown field; did you mean 'threads'?"],
    ),
    "at other scales": (
        SHARE,
        "at_scale:\n  gpu: {training: {epoch: 1}, seed: 3}\n  laptpo: {}",
        [
            "28: at_scale.gpu.training.epoch: unknown field",
            "28: at_scale.gpu.seed: a scale cannot set it",
            "29: at_scale: unknown scale 'laptpo'",
        ],
    ),
    "parameter at a scale": (
        SHARE,
        "at_scale: {laptop: {method.foo: 1}}",
        ["at_scale.laptop.method.foo: unknown parameter of method clop 'foo'"],
    ),
    "warm-up in the file": (
        SHARE,
        "training: {warmup_epochs: 26}",
        ["27: training.warmup_epochs: warmup_epochs = 26 is more than epochs = 25"],
    ),
    "study's kind": (
        SHARE,
        "study: {kind: overhed, pairs: 3}",
        ["27: study.kind: unknown kind 'overhed': did you mean 'overhead'?"],
    ),
    "study without a kind": (SHARE, "study: {pairs: 3}", ["27: study.kind: required, but not given"]),
    "name of the scale": (
        SHARE,
        "scale: {name: x}",
        ["27: scale.name: must be 'laptop', as the file is called"],
    ),
    "axis without points": (
        "axes:\n",
        "axes:\n  empty: {}\n",
        [
            "16: axes.empty: value should have at least 1 item",
            "15: paper.values.0.at: must name",
            "16: paper.values.1.at: must name",
        ],
    ),
    "one key on two axes": (
        "axes:\n",
        "axes:\n  weight: {a: {method.prototypes: simplex}}\n",
        [
            "18: axes.prototypes.orthonormal.method.prototypes: 'method.prototypes' is set by axis",
            "random.method.prototypes",
            "paper.values.0.at",
            "paper.values.1.at",
        ],
    ),
    "two that have nothing to do with each other": (
        SHARE,
        "skip: [{scales: [tiny], reason: x}, {at: {prototype: a}}]\ntrainin: {}",
        ["28: trainin: unknown field", "27: skip.1.reason: required", "27: skip: unknown scale 'tiny'"],
    ),
    "not UTF-8": (
        None,
        b"title: a\naxes: {\xe9: 1}",
        ["benchmarks/table7.yaml:2: byte 17 (0xe9) is not UTF-8"],
    ),
    "a number": (None, b"5\n", ["benchmarks/table7.yaml: expected a mapping of keys"]),
    "a list": (None, b"- a\n", ["benchmarks/table7.yaml: expected a mapping of keys"]),
    "empty": (None, b"", ["benchmarks/table7.yaml: expected a mapping of keys"]),
    "no YAML": (None, b"a: [1\nb: 2\n", ["benchmarks/table7.yaml:2: not valid YAML"]),
    "control character": (
        None,
        b"a: 1\nb: \x1b[31m",
        ["benchmarks/table7.yaml:2: cannot be read: no YAML has U+001B"],
    ),
    "Python's objects": (
        None,
        b"a: !!python/object/apply:os.getcwd []",
        ["benchmarks/table7.yaml:1: tag:yaml.org,2002:python/object/apply:os.getcwd is no kind of value"],
    ),
    "an alias in itself": (None, b"a: &a [*a]", ["benchmarks/table7.yaml:1: more than 50 levels"]),
    "keys that are no words": (
        None,
        b"true: 1\n~: 2\n[a]: 3\n",
        ["yaml:1: a key must be text", "yaml:2: a key must be text", "yaml:3: a key must be text"],
    ),
    "5000 digits": (None, b"a: 1" + b"0" * 5000, ["benchmarks/table7.yaml:1: '1000"]),
}

OF_A_SCALE = {
    "other package": ("# @package _global_", "# @package scale", ["# @package must be _global_ (got scale)"]),
    "other name": ("name: laptop", "name: lap", ["10: scale.name: must be 'laptop', as the file is called"]),
    "misspelt": ("  knn: 20", "  knnn: 20", ["39: evaluation.knnn: unknown field; did you mean 'knn'?"]),
    "missing": ("  knn: 20\n", "", ["laptop.yaml:37: evaluation.knn: required, but not given"]),
    "not its own": ("scale:\n", "title: x\nscale:\n", ["9: title: unknown field"]),
    "negative": (
        "seconds_per_cell: 9",
        "seconds_per_cell: -9",
        ["12: scale.seconds_per_cell: input should be greater"],
    ),
    "a number": (None, b"7", ["benchmarks/scale/laptop.yaml: expected a mapping of keys"]),
    "not UTF-8": (
        None,
        b"scale:\n  name: \xff",
        ["benchmarks/scale/laptop.yaml:2: byte 16 (0xff) is not UTF-8"],
    ),
}

OF_A_TABLE = {
    "unknown benchmark": (
        "benchmark: table7",
        "benchmark: tabel7",
        ["3: benchmark: unknown benchmark 'tabel7': did you mean 'table7'?"],
    ),
    "benchmark a list": (
        "benchmark: table7",
        "benchmark: [table7]",
        ["3: benchmark: input should be a valid string"],
    ),
    "unknown metric": ("metric: probe_top1", "metric: foo", ["5: metric: unknown metric 'foo'"]),
    "misspelt metric": (
        "metric: probe_top1",
        "metric: probe_tpo1",
        ["5: metric: unknown metric 'probe_tpo1': did you mean 'probe_top1'?"],
    ),
    "rows": (
        "rows: prototypes",
        "rows: prototype",
        ["4: rows: unknown axis 'prototype': did you mean 'prototypes'?"],
    ),
    "columns are rows": (
        "rows: prototypes",
        "rows: prototypes\ncolumns: prototypes",
        ["5: columns: must be another axis than rows"],
    ),
    "label of nothing": (
        '  random: "CLOP',
        '  randm: "CLOP',
        ["9: labels.randm: unknown point 'randm': did you mean 'random'?"],
    ),
    "paper's point": (
        "{at: {prototypes: random}, mean",
        "{at: {prototypes: randon}, mean",
        ["16: paper.values.1.at.prototypes: unknown point of axis prototypes 'randon': did you mean 'random'?"],
    ),
    "paper's number twice": (
        "{at: {prototypes: random}, mean",
        "{at: {prototypes: orthonormal}, mean",
        ["16: paper.values.1: a second number for orthonormal"],
    ),
    "paper's field": (
        "mean: 0.768",
        "maen: 0.768",
        ["16: paper.values.1.maen: unknown field; did you mean 'mean'?"],
    ),
    "infinite": ("mean: 0.768", "mean: .inf", ["16: paper.values.1.mean: input should be a finite number"]),
    "margin": ("margin: 0.012", "margin: -1", ["17: paper.margin: input should be greater than 0"]),
    "claim's point": (
        SECOND,
        SECOND.replace("random", "randmo"),
        ["25: claim orthonormal_beats_random: than: unknown point of axis prototypes 'randmo'"],
    ),
    "claim's axis": (
        SECOND,
        SECOND.replace("prototypes", "prototype"),
        ["claim orthonormal_beats_random: than: unknown axis 'prototype'"],
    ),
    "both sides equal": (
        SECOND,
        SECOND.replace("random", "orthonormal"),
        ["21: claim orthonormal_beats_random: compares nothing: both sides are the same points"],
    ),
    "no other side": (SECOND, SECOND.replace("prototypes: random", ""), ["compares nothing"]),
    "point twice": (
        SECOND,
        SECOND.replace("random", "[random, random]"),
        ["claims.0.better.than.prototypes: 'random' is listed twice"],
    ),
    "claim's field": (
        SECOND,
        SECOND.replace("than", "then"),
        ["24: claims.0.better.then: unknown field; did you mean 'than'?"],
    ),
    "claim's kind": (
        "kind: better",
        "kind: bettr",
        ["22: claims.0.kind: unknown kind 'bettr': did you mean 'better'?"],
    ),
    "claim's metric": (
        "kind: better",
        "metric: foo\n    kind: better",
        ["claim orthonormal_beats_random: unknown metric 'foo'"],
    ),
    "two claims of one name": (
        "orthonormal_is_steadier",
        "orthonormal_beats_random",
        ["there are two of this name"],
    ),
    "unknown scale": (
        "diverged_as: {laptop:",
        "diverged_as: {laptob:",
        ["34: diverged_as.laptob: unknown scale 'laptob'"],
    ),
    "a column twice": (
        "rows:",
        "also: [{metric: probe_top1, title: x}]\nrows:",
        ["4: also.0.metric: 'probe_top1' has a column already"],
    ),
    "figures": (
        "rows:",
        "figures: [{kind: pie}, {kind: tsne, points: {prototypes: x}}, {kind: spectrum, lines: a}]\nrows:",
        [
            "figures.0.kind: unknown kind 'pie'",
            "figure tsne: points: unknown point of axis prototypes 'x'",
            "figure spectrum: lines: unknown axis 'a'",
        ],
    ),
    "curve of words": (
        "rows:",
        "figures: [{kind: curve, along: prototypes, label: x, values: {random: 1}}]\nrows:",
        ["figure curve: point 'orthonormal' is no number"],
    ),
    "threshold": (
        "rows:",
        "thresholds: [{name: a, text: b, axis: prototypes, metric: foo}]\nrows:",
        [
            "threshold a: unknown metric 'foo'",
            "threshold a: axis prototypes: 'orthonormal' is not a number above 0",
        ],
    ),
    "two labels of one point": (
        "labels:\n",
        "labels:\n  0.1: a\n  '0.1': b\n",
        ["7: labels: 0.1 and '0.1' are both called '0.1'"],
    ),
    "key twice": ("title:", "title: a\ntitle:", ["3: title: given twice, the first time in line 2"]),
    "a number": (None, b"5", ["tables/table7.yaml: expected a mapping of keys"]),
    "not UTF-8": (None, b"title: \xe9", ["tables/table7.yaml:1: byte 8 (0xe9) is not UTF-8"]),
    "five at once": (
        "rows: prototypes",
        "rows: prototype\nfoo: 1\nalso: [{metric: bar, title: x, diverged_as: {laptob: 0.1}}, {metrc: a}]",
        [
            "4: rows",
            "5: foo",
            "6: also.0.metric",
            "6: also.1.metrc",
            "6: also.1.title: required",
            "6: also.0.diverged_as.laptob",
        ],
    ),
}

CASES = (
    [(f"point, {name}", BENCHMARK, RANDOM, new, found) for name, (new, found) in POINTS.items()]
    + [(f"benchmark, {name}", BENCHMARK, *case) for name, case in OF_A_BENCHMARK.items()]
    + [(f"scale, {name}", SCALE, *case) for name, case in OF_A_SCALE.items()]
    + [(f"table, {name}", TABLE, *case) for name, case in OF_A_TABLE.items()]
)


def spoil(root, file, old, new):
    """Replace a part of a declaration, or (old None) all of it."""
    path = root / file
    if old is None:
        path.write_bytes(new)
    else:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
