"""The command line: `bench`. Its verbs under their headings, and how it ends.

Each verb, or family of verbs, is a file beside this one: its options, its body, and what it prints. What takes
long to import is imported in their functions, because `bench --help` imports all of them.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clopbench.cli import (
    cancel,
    data,
    diff,
    doctor,
    export,
    forget,
    importing,
    listing,
    logs,
    meant,
    methods,
    new,
    plan,
    power,
    report,
    retry,
    run,
    show,
    status,
    submit,
)
from clopbench.cli.options import spread
from clopbench.cli.terminal import EXIT_INTERRUPTED, EXIT_USAGE, say, warn
from clopbench.errors import UserError, print_anything

VERBS = {
    "Look": {
        "list": listing.list_benchmarks,
        "methods": methods.methods,
        "plan": plan.plan,
        "show": show.show,
        "status": status.status,
        "logs": logs.logs,
        "power": power.power,
        "diff": diff.diff,
    },
    "Run": {"run": run.run, "import": importing.import_records},
    "Cluster": {
        "submit": submit.submit,
        "retry": retry.retry,
        "cancel": cancel.cancel,
        "forget": forget.forget,
    },
    "Report": {"report": report.report, "export": export.export},
    "Suite": {"init": new.init, "new": new.app, "doctor": doctor.doctor, "data": data.app},
}


class Grouped(TyperGroup):
    """Lists the verbs under their headings: what typer's panels do, as plain text."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        longest = max(map(len, self.commands))
        for heading, names in VERBS.items():
            with formatter.section(heading):
                limit = formatter.width - 6 - longest
                formatter.write_dl(
                    [(name.ljust(longest), self.commands[name].get_short_help_str(limit)) for name in names]
                )


app = typer.Typer(
    name="bench",
    cls=Grouped,
    help="Regenerate the tables of the CLOP paper with seeds, intervals and verdicts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verbs in VERBS.values():
    for name, verb in verbs.items():
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name)
        else:
            app.command(name)(spread(verb))


def _version(asked: bool) -> None:
    if asked:
        from clopbench.launch.checkout import engine_state, package_folder
        from clopbench.report import origin

        say(f"clop-bench {origin.engine({'engine': engine_state(package_folder())})}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which engine this is.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: bad input is one line on stderr and status 2; a bug keeps its traceback."""
    print_anything()
    try:
        code = app(args=arguments, prog_name="bench", standalone_mode=False)
    except UserError as error:
        for problem in error.problems:
            warn(f"error: {problem}")
        code = EXIT_USAGE
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        option = getattr(error, "option_name", None)
        if option is not None and message.startswith("No such option"):
            message += meant.words(option)
        # Of a command that was given nothing at all, typer's message is its help, and stays as it is.
        is_help = type(error).__name__ == "NoArgsIsHelpError"
        if is_help:
            print(message, file=sys.stderr)
        else:
            warn(f"error: {' '.join(message.split())}")
        code = EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt) as error:
        if isinstance(
            error.__cause__, EOFError
        ):  # Taken for Ctrl-D at a question; we ask none, so it is a bug.
            raise error.__cause__ from None
        code = EXIT_INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
