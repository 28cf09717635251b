"""The settings of a training run as absl flags, their `--help`, and flagfiles.

Settings of a model are flags without a default, so that a flag that the chosen model does not have
can be refused, and each model keeps its own defaults. Those of shared flags are in its
`shared_defaults`.
"""

import dataclasses

from absl import flags

from vsa_tf.errors import VsaTfError, named
from vsa_tf.file_reading import read_lines
from vsa_tf.models.model_table import MODELS
from vsa_tf.models.network_settings import AUTO
from vsa_tf.program import flagfile_path, reason_of_flags, with_flagfiles
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings, check

_GROUPS = {"Run": TrainingSettings, "Data": DataSettings, "Optimiser": OptimizerSettings}


def define_flags(flag_values=flags.FLAGS):
    """Defines a flag for every setting, as flags of the program that calls."""
    for group in _GROUPS.values():
        for field in dataclasses.fields(group):
            others = ", ".join(
                f"{name}: {kind.settings.shared_defaults[field.name]!r}"
                for name, kind in MODELS.items()
                if field.name in kind.settings.shared_defaults
            )
            help = field.metadata["help"]
            _define(field, field.default, f"{help} [{others}]" if others else help, flag_values)
    for fields in _owners().values():
        defaults = ", ".join(f"{name}: {field.default!r}" for name, field in fields)
        help = f"{fields[0][1].metadata['help']} [{defaults}]"
        choices = [field.metadata["choices"] for _, field in fields]
        _define(fields[0][1], None, help, flag_values, choices)


def _owners():
    """Returns of each setting of a model its name and `(model, field)` of all that have it."""
    owners = {}
    for name, kind in MODELS.items():
        for field in dataclasses.fields(kind.settings):
            owners.setdefault(field.name, []).append((name, field))
    return owners


def _define(field, default, help, flag_values, choices=()):
    metadata = field.metadata
    # `Settings.of` refuses what is between the two.
    lowest = AUTO if metadata["auto"] else metadata["minimum"]
    bounds = {"lower_bound": lowest, "upper_bound": metadata["maximum"]}
    allowed = metadata["choices"] or ()
    # Where models differ in what they allow, `Settings.of` knows the chosen one's.
    if allowed and len({*choices}) < 2 and not any(":" in choice for choice in allowed):
        flags.DEFINE_enum(field.name, default, list(allowed), help, flag_values)
        # Bare, or with "no" before it, it is a switch too.
        flag_values[field.name].boolean = "true" in allowed
    elif field.type is bool:
        flags.DEFINE_bool(field.name, default, help, flag_values)
    elif field.type is int:
        flags.DEFINE_integer(field.name, default, help, flag_values=flag_values, **bounds)
    elif field.type is float:
        flags.DEFINE_float(field.name, default, help, flag_values=flag_values, **bounds)
    else:
        flags.DEFINE_string(field.name, default, help, flag_values)


def settings_from_flags(flag_values=flags.FLAGS):
    """Collects the parsed flags.

    Raises:
        VsaTfError: for a flag that the chosen model does not have, or flags that contradict.
    """
    settings = _given(flag_values)
    check(settings)
    return settings


def settings_from_flagfile(path, **values):
    """Returns the `Settings` of a flagfile of `vsa_tf.train`.

    Args:
        path: the file; what it includes by `--flagfile` counts, too.
        **values: settings that differ from the file, as of `Settings.of`.

    Raises:
        VsaTfError: the file cannot be read, or holds what is no setting; names a line that is no
            flag.
    """
    flag_values, words = _parsed([f"--flagfile={path}"], path)
    if words:
        raise VsaTfError(
            f"Expected flags, --name=value, a line each. Received: {words[0]!r} in "
            f"{_place(path, words[0]) or path}"
        )
    return _given(flag_values, values)


def settings_from_arguments(arguments, source):
    """Returns the `Settings` of a list of flags of `vsa_tf.train`.

    Args:
        arguments: the flags.
        source: what an error names as their place.

    Raises:
        VsaTfError: they hold what is no setting.
    """
    flag_values, words = _parsed(arguments, source)
    if words:
        raise VsaTfError(f"{source}: expected flags, --name=value. Received: {words[0]!r}")
    with named(source):
        return _given(flag_values)


def _parsed(arguments, source):
    """Returns flags that hold the arguments, and the words among these that are none."""
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    try:
        return flag_values, flag_values(with_flagfiles(["", *arguments]))[1:]
    except flags.Error as error:
        raise VsaTfError(f"{source}: {reason_of_flags(error, flag_values)}") from error


def _place(path, word):
    """Returns where a flagfile, or one that it includes, holds a line; None: nowhere."""
    for number, line in enumerate(read_lines(flagfile_path(path)), 1):
        line = line.strip()
        if line == word:
            return f"line {number} of {path}"
        name, _, included = line.partition("=")
        if name.lstrip("-") == "flagfile" and (found := _place(included, word)):
            return found
    return None


def _given(flag_values, changes=None):
    names = [field.name for group in _GROUPS.values() for field in dataclasses.fields(group)]
    given = {
        name: flag_values[name].value for name in names if not flag_values[name].using_default_value
    }
    given |= {
        name: flag_values[name].value for name in _owners() if flag_values[name].value is not None
    }
    return Settings.of(**{**given, **(changes or {})})


def _described(field):
    choices = "|".join(field.metadata["choices"] or ())
    return f"<{choices}> {field.metadata['help']}" if choices else field.metadata["help"]


def help_sections(flag_values=flags.FLAGS):
    """Returns the parts of `--help`, a list of `(title, [(name, help, default)])`.

    Defaults are those of the chosen model. The settings that only other models have come last;
    where `--model` is given, they are left out.
    """
    model = MODELS[flag_values.model].settings
    groups = {**_GROUPS, f"The model: --model={flag_values.model}": model}
    sections = [
        (
            title,
            [
                (field.name, _described(field), model.defaults({}).get(field.name, field.default))
                for field in dataclasses.fields(group)
            ],
        )
        for title, group in groups.items()
    ]
    if flag_values["model"].using_default_value:
        own = {field.name for field in dataclasses.fields(model)}
        others = [
            (name, _described(fields[0][1]), ", ".join(f"{m}: {f.default}" for m, f in fields))
            for name, fields in _owners().items()
            if name not in own
        ]
        sections.append(("Other models; --model=NAME --help says which has what", others))
    return sections
