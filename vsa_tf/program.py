"""How every program starts: flags are read and refused before anything slow is imported.

What a program is asked for is on its standard output: answers, metrics, tables, and what was read,
learnt and written. How far a long job is, warnings and advice are on standard error, and so is the
one line of an error.
"""

import errno
import os
import pathlib
import re
import sys
import warnings

from absl import flags

from vsa_tf.errors import VsaTfError, meant
from vsa_tf.file_reading import read_lines, reason_of

# Of paths that a flag names: there is nothing for a traceback to tell.
_OF_PATHS = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
)

_FLAGFILE = re.compile("--?flagfile(?:=(.*))?")
_HELP = ("--help", "-help", "-h", "--helpfull")
_FLAGFILE_HELP = "  --flagfile: File of flags, one a line; flags after it win."
# What absl adds to the help of flags that may be repeated, whatever it ends in.
_REPEATED = ";\n    repeat this option to specify a list of values"
# In the package lie those of the checkout (vsa_tf/flags).
_PACKAGE = pathlib.Path(__file__).resolve().parent


def silent(line):
    """What the library does with a line about its work, unless it is given another `say`.

    Args:
        line: str, without its end.
    """


def print_line(line):
    """Prints a line at once: the `say` of the programs."""
    print(line, flush=True)


def print_note(line):
    """Prints a line on standard error: progress, a warning, or advice."""
    print(line, file=sys.stderr, flush=True)


def print_warning(message):
    """Prints a warning, one line; an empty one is none."""
    if message:
        print_note(f"warning: {message}")


def run(main, usage, positional=None, help_sections=None):
    """Parses the command line and calls `main()`.

    Args:
        main: called once the flags are parsed, without arguments or, where there are positional
            ones, with their list.
        usage: what `--help` prints above the flags, usually the program's docstring.
        positional: name of the arguments that are no flags; None: there are none.
        help_sections: returns the flags in groups, a list of `(title, [(name, help, default)])`,
            given the flags of a command line with `--help`; None: they are listed by name.

    A wrong, missing or contradictory flag, a path that cannot be read or written, and every
    `VsaTfError`, is one line on standard error and exit 1; `--help` and `--version` exit 0.
    """
    # TensorFlow prints pages of information when it is imported later, and as errors that there
    # is no GPU and no AVX512; what goes wrong is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Off by default on processors without AVX512, where its products are a tenth faster too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for stream in (sys.stdout, sys.stderr):
        # Lines of JSON are UTF-8 wherever they go; names of files may hold halves of characters.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # tensorflow_hub and tensorboard import what warns of itself; here, and in processes of workers.
    _ignore_warnings("pkg_resources is deprecated")
    flag_values = flags.FLAGS
    try:
        if any(argument in _HELP for argument in sys.argv[1:]):
            _tell_repeatable(flag_values)
            if help_sections:
                _print_sections(usage, flag_values, help_sections)
            else:
                _print_help(usage, flag_values)
            sys.stdout.flush()
            sys.exit(0)
        if "--version" in sys.argv[1:]:
            print(f"vsa_tf {sys.modules[__package__].__version__}", flush=True)
            sys.exit(0)
        arguments = flag_values(with_flagfiles(sys.argv))[1:]
        if positional:
            main(arguments)
        elif arguments:
            raise VsaTfError(f"Expected only flags. Received: {' '.join(arguments)}")
        else:
            main()
        sys.stdout.flush()
    except VsaTfError as error:
        sys.exit(f"error: {' '.join(error.of_flags.split())}")
    except flags.Error as error:
        sys.exit(f"error: {reason_of_flags(error, flag_values)}")
    except BrokenPipeError:
        # Who read the lines has gone, as `head` does. Python flushes them once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno in _OF_PATHS and error.filename is not None:
            sys.exit(f"error: {error.filename}: {error.strerror}")
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        sys.exit(
            f"error: {error}. Make room and run the same command again: it goes on where it was"
        )
    except MemoryError:
        sys.exit("error: there is not as much memory as this needs: is one of the files too large?")
    except KeyboardInterrupt as error:
        # With where it goes on, if the work has said so.
        sys.exit(": ".join(("interrupted", *map(str, error.args))))


def with_flagfiles(arguments, including=()):
    """Returns a command line with the lines of flagfiles in their places, as absl would have it.

    absl takes a byte-order mark for a part of the first flag, and bytes that are no text for an
    error of Python's.

    Args:
        arguments: list of str.
        including: paths of the flagfiles that these are lines of.

    Raises:
        VsaTfError: a flagfile cannot be read, or includes itself.
    """
    expanded, rest = [], list(arguments)
    while rest:
        argument = rest.pop(0)
        match = _FLAGFILE.fullmatch(argument)
        if argument == "--":
            return [*expanded, argument, *rest]
        if match is None or (match[1] is None and not rest):
            expanded.append(argument)
            continue
        path = os.path.expanduser(match[1] if match[1] is not None else rest.pop(0)).strip()
        if path in including:
            raise VsaTfError(f"--flagfile={path} includes itself")
        try:
            lines = [line.strip() for line in read_lines(flagfile_path(path))] if path else []
        except OSError as error:
            raise VsaTfError(f"--flagfile={path}: {error.strerror}") from error
        lines = [line for line in lines if line and not line.startswith(("#", "//"))]
        expanded += with_flagfiles(lines, (*including, path))
    return expanded


def flagfile_path(path):
    """Returns the path of a file of `flags`: as it is given where there is one, else the package's.

    Args:
        path: str, such as `flags/quickstart.flags`.
    """
    packaged = _PACKAGE / path
    is_packaged = pathlib.PurePath(path).parts[:1] == ("flags",) and packaged.is_file()
    return str(packaged) if is_packaged and not os.path.exists(path) else path


def reason_of_flags(error, flag_values):
    """Returns what is wrong with flags, on one line; of an unknown one, which may be meant.

    Args:
        error: `flags.Error`.
        flag_values: the flags that there are.
    """
    if not isinstance(error, flags.UnrecognizedFlagError):
        return reason_of(error)
    name = error.flagname
    return f"Unknown flag --{name}{meant(name, flag_values, '--')}"


def _ignore_warnings(start):
    warnings.filterwarnings("ignore", start, UserWarning)
    given = os.environ.get("PYTHONWARNINGS", "")
    ours = f"ignore:{start}:UserWarning"
    if ours not in given:
        # Of these the last wins.
        os.environ["PYTHONWARNINGS"] = f"{ours},{given}".rstrip(",")


def _tell_repeatable(flag_values):
    for name in flag_values:
        flag = flag_values[name]
        text = flag.help.removesuffix(_REPEATED) if flag.help else ""
        if flag.help and text != flag.help:
            flag.help = text if "repeatable" in text else f"{text.rstrip('.')}; repeatable."


def _print_help(usage, flag_values):
    print(usage)
    for module in sorted(flag_values.flags_by_module_dict()):
        if module.partition(".")[0] != "absl":
            # Without the first line, which names the module.
            print(flag_values.module_help(module).strip().partition("\n")[2])
    print(_FLAGFILE_HELP)


def _print_sections(usage, flag_values, help_sections):
    arguments = [argument for argument in sys.argv if argument not in _HELP]
    flag_values(with_flagfiles(arguments), known_only=True)
    print(usage)
    for title, entries in help_sections():
        print(f"{title}\n")
        for name, text, default in entries:
            text = f"--{name}: {text}" + (f" [{default}]" if default != "" else "")
            print(flags.text_wrap(text, length=100, indent="      ", firstline_indent="  "))
        print()
    print(_FLAGFILE_HELP)
