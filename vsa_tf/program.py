"""How every program starts: flags are read and refused before anything slow is imported."""

import errno
import os
import sys

from absl import flags

from vsa_tf.errors import VsaTfError

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


_HELP = ("--help", "-help", "-h", "--helpfull")
_FLAGFILE_HELP = "  --flagfile: File of flags, one a line; flags after it win."


def silent(line):
    """What the library does with a line about its work, unless it is given another `say`.

    Args:
        line: str, without its end.
    """


def print_line(line):
    """Prints a line at once: the `say` of the programs."""
    print(line, flush=True)


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
    `VsaTfError`, is one line on standard error and exit 1; `--help` exits 0.
    """
    # TensorFlow prints pages of information when it is imported later, and as errors that there
    # is no GPU and no AVX512; what goes wrong is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Off by default on processors without AVX512, where its products are a tenth faster too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    flag_values = flags.FLAGS
    if any(argument in _HELP for argument in sys.argv[1:]):
        if help_sections:
            _print_sections(usage, flag_values, help_sections)
        else:
            _print_help(usage, flag_values)
        sys.exit(0)
    try:
        arguments = flag_values(sys.argv)[1:]
        if positional:
            main(arguments)
        elif arguments:
            raise VsaTfError(f"Expected only flags. Received: {' '.join(arguments)}")
        else:
            main()
    except VsaTfError as error:
        sys.exit(f"error: {' '.join(error.of_flags.split())}")
    except flags.Error as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except OSError as error:
        if error.errno in _OF_PATHS and error.filename is not None:
            sys.exit(f"error: {error.filename}: {error.strerror}")
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(
            f"error: {error}. Make room and run the same command again: it goes on where it was"
        )
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _print_help(usage, flag_values):
    print(usage)
    for module in sorted(flag_values.flags_by_module_dict()):
        if module.partition(".")[0] != "absl":
            # Without the first line, which names the module.
            print(flag_values.module_help(module).strip().partition("\n")[2])
    print(_FLAGFILE_HELP)


def _print_sections(usage, flag_values, help_sections):
    arguments = [argument for argument in sys.argv if argument not in _HELP]
    try:
        flag_values(arguments, known_only=True)
    except flags.Error as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    print(usage)
    for title, entries in help_sections():
        print(f"{title}\n")
        for name, text, default in entries:
            text = f"--{name}: {text}" + (f" [{default}]" if default != "" else "")
            print(flags.text_wrap(text, length=100, indent="      ", firstline_indent="  "))
        print()
    print(_FLAGFILE_HELP)
