"""What the user of a program or a function can mend."""

import contextlib
import difflib
import re
import reprlib

# A flag; not one of a command that the message tells to run.
_COMMAND = r"(?:vsa_tf\.\w+|tfrecords_tools\.\w+|pip install)(?: --\S+)+"
_FLAG = re.compile(rf"({_COMMAND})|(?<![\w./-])--(\w+)")
# What TensorFlow puts before the words of an operation that fails: where it was called, which of
# several errors it is, and the operation's name.
_BEFORE_WORDS = re.compile(
    r"(?s)(Graph execution error:.*\n)?"
    r"(\d+ root error\(s\) found\.\s+\(0\) [A-Z_]+: )?"
    r"(\{\{.*?\}\} )?"
)
# What other programs call what ours call otherwise.
_SYNONYMS = {
    "beam": ("beam_size",),
    "bs": ("batch_size",),
    "data": ("data_dir", "dataset", "images"),
    "encoder": ("image_encoder",),
    "epochs": ("num_epochs",),
    "file": ("image", "images", "captions"),
    "gpus": ("distribution",),
    "k": ("top_k",),
    "lr": ("learning_rate",),
    "model": ("model_dir", "saved_model"),
    "out": ("output", "output_dir", "export_dir", "index_dir"),
    "path": ("data_dir", "images", "model_dir"),
    "text": ("sentence", "phrase", "query"),
    "topk": ("top_k",),
    "vocab_size": ("min_count", "num_wordpieces"),
    "warmup": ("learning_rate_warmup_steps",),
    "wd": ("weight_decay",),
    "workers": ("num_workers",),
}


class VsaTfError(ValueError):
    """Something the user can mend; programs print it as one line, exit 1, without a traceback.

    Its message names flags, `--name=value`, as programs print it (`of_flags`). `str` of it names
    the arguments of Python's functions, which bear the flags' names.

    Example:

    >>> error = VsaTfError("--num_regions=0: expected one or more")
    >>> error.of_flags, str(error)
    ('--num_regions=0: expected one or more', 'num_regions=0: expected one or more')
    """

    @classmethod
    def of(cls, error):
        """Returns another error as one of these, as it is where it is one already."""
        return error if isinstance(error, cls) else cls(str(error))

    @property
    def of_flags(self):
        """The message with the names of flags."""
        return super().__str__()

    def __str__(self):
        return _FLAG.sub(lambda match: match[1] or match[2], super().__str__())


class InputError(VsaTfError):
    """A photograph or a text that a model cannot read; the message is the reason."""


@contextlib.contextmanager
def named(source):
    """Puts what an error is of before its message.

    Example:

    >>> with named("row 'a'"):
    ...     raise VsaTfError("--k is missing")
    Traceback (most recent call last):
    ...
    vsa_tf.errors.VsaTfError: row 'a': k is missing
    """
    try:
        yield
    except VsaTfError as error:
        raise VsaTfError(f"{source}: {error.of_flags}") from None


def check_given(values, **needed):
    """Refuses flags of which some are missing, and names all of those at once.

    Args:
        values: the flags of a program.
        **needed: what each flag is for, by its name.

    Raises:
        VsaTfError: a flag has no value, or a blank one.
    """
    refuse_missing({f"--{name}": (values[name].value, what) for name, what in needed.items()})


def refuse_missing(needed):
    """Raises VsaTfError that names all that has no value.

    Args:
        needed: dict of a name to `(value, what it is for)`.

    Example:

    >>> refuse_missing({"--data_dir": ("", "the records"), "--split": ("dev", "of them")})
    Traceback (most recent call last):
    ...
    vsa_tf.errors.VsaTfError: data_dir is missing: the records
    """
    missing = [
        f"{name} is missing: {what}"
        for name, (value, what) in needed.items()
        if not (value.strip() if isinstance(value, str) else value)
    ]
    if missing:
        raise VsaTfError("; ".join(missing))


def check_text(name, text, may_be_blank=False):
    """Refuses what is no text, or a blank one.

    Args:
        name: of the argument.
        text: anything.
        may_be_blank: whether a text without a letter will do.

    Example:

    >>> check_text("sentence", ["a dog", "a cat"])
    Traceback (most recent call last):
    ...
    vsa_tf.errors.VsaTfError: Expected sentence to be one text, a str. Received: ['a dog', 'a cat']
    """
    if not isinstance(text, str):
        raise VsaTfError(f"Expected --{name} to be one text, a str. Received: {reprlib.repr(text)}")
    if not may_be_blank and not text.strip():
        raise VsaTfError(f"Expected --{name} to be a text with words. Received: {text!r}")


def check_choice(name, value, choices):
    """Refuses what is none of the choices that an argument has.

    Args:
        name: of the argument.
        value: anything.
        choices: iterable of all that is allowed.

    Raises:
        ValueError: names the choices and the value.

    Example:

    >>> check_choice("cell", "elu", ["relu", "gru"])
    Traceback (most recent call last):
    ...
    ValueError: Expected cell to be one of ('relu', 'gru'). Received: cell='elu'
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"Expected {name} to be one of {choices}. Received: {name}={value!r}")


def meant(name, names, prefix="", otherwise=". See --help"):
    """Returns the question which of some names was meant, for the end of an error.

    What other programs call so is named before what is spelt like it, small or capital letters.

    Args:
        name: str, which is none of them.
        names: iterable of str.
        prefix: of each name.
        otherwise: what is returned where none is like it.

    Example:

    >>> meant("num_epoch", ["seed", "num_epochs"], prefix="--")
    '. Did you mean --num_epochs?'
    """
    names = list(names)
    close = [each for each in names if each.lower() == name.lower()]
    close = [*_SYNONYMS.get(name, ()), *close, *difflib.get_close_matches(name, names, cutoff=0.7)]
    found = dict.fromkeys(prefix + each for each in close if each in names)
    return f". Did you mean {' or '.join(found)}?" if found else otherwise


def counted(things, noun):
    """Returns how many there are in words.

    Args:
        things: anything with a length.
        noun: what one of them is called.

    Example:

    >>> counted(["a dog"], "caption"), counted([], "caption")
    ('1 caption', '0 captions')
    """
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"


def listed(names):
    """Returns the first five of a list of names, for the end of a message.

    Example:

    >>> listed([7, "b.jpg"]), listed(list(range(9)))
    ('7, b.jpg', '0, 1, 2, 3, 4, ...')
    """
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")


def differences(expected, received):
    """Returns in what two descriptions differ, but for where they lie (`spec`), for a message.

    Args:
        expected, received: dicts of what can be shown in a few words, or checksums.

    Example:

    >>> differences({"spec": "a", "crop_size": 0, "sha256": "0f"}, {"crop_size": 9, "sha256": "1c"})
    'crop_size (9, not 0), sha256'
    """
    values = {
        name: [each.get(name, "nothing") for each in (received, expected)]
        for name in sorted((expected.keys() | received.keys()) - {"spec"})
    }
    return ", ".join(
        name if "sha256" in name else f"{name} ({one}, not {other})"
        for name, (one, other) in values.items()
        if one != other
    )


def operation_reason(message):
    """Returns the words of a TensorFlow operation that failed, without the form it gives them.

    Args:
        message: of a `tf.errors.OpError`.

    Example:

    >>> operation_reason("assertion failed: [Expected 8 pixels. Received:] [6] [5]")
    'Expected 8 pixels. Received: 6 5'
    """
    message = message.partition("\n\t [[")[0].rstrip()
    _, is_assertion, words = message.partition("assertion failed: ")
    if is_assertion:
        return words.removeprefix("[").removesuffix("]").replace("] [", " ")
    return _BEFORE_WORDS.sub("", message, 1)
