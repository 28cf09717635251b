"""Running a program in this process."""

from absl import flags


def run_program(program, *arguments):
    """Runs the `main` of a program, a module, with a command line and flags of its own."""
    values = flags.FlagValues()
    program.define_flags(values)
    values([program.__name__, *map(str, arguments)])
    program.main(values)
