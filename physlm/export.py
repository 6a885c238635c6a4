"""A finished run for other libraries: `python -m physlm.export runs/ID FOLDER`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from physlm.arguments import Parser
from physlm.caches import settle_caches
from physlm.errors import InputError
from physlm.interruption import stop_requests
from physlm.messages import explain
from physlm.report.exploration.source import source_of
from physlm.watching import outlive_readers

_EPILOG = """\
examples:
  python -m physlm.export runs/4f00 exported
  python -c "from transformers import AutoModelForCausalLM as M; M.from_pretrained('exported')"

The folder holds the weights as safetensors, the configuration, a fast tokenizer, a model card with
what was measured, and, if the world has questions, tasks of lm-evaluation-harness in lm_eval. It is
loaded again and compared with the run. docs/export.md says which models can be exported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    outlive_readers()
    settle_caches()
    try:
        chosen = _parser().parse_args(arguments)
        _require_free(chosen.folder)
        _export(_run(chosen.run), chosen.folder)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    return 0


@stop_requests(at_once=True)
def _export(run: Path, folder: Path) -> None:
    """Write the folder and print what it holds."""
    from physlm.report.export.exported import export  # loads torch

    found = export(run, folder)
    checkpoint = found.checkpoint
    print(
        f"{checkpoint.kind}: scores of {checkpoint.n_compared:,} tokens differ by "
        f"{checkpoint.largest_difference:.1g} at most"
    )
    print(f"{found.example.prompt!r} -> {found.example.continuation!r}")
    if found.tasks:
        print(f"lm_eval: {', '.join(task.name for task in found.tasks)}")
    print(f"exported: {folder}")


def _run(path: Path) -> Path:
    """The directory of a trained run.

    Raises:
        InputError: If the path is not one.
    """
    source = source_of(path)
    if not source.is_run:
        raise InputError(f"{path} is a checkpoint already; name a run directory")
    return source.path


def _require_free(folder: Path) -> None:
    """Require a folder that is new or empty.

    Raises:
        InputError: If it is not.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty; choose another folder or remove it")


def _parser() -> Parser:
    parser = Parser(
        "export",
        description="Write a finished run as a folder that AutoModelForCausalLM and AutoTokenizer "
        "of transformers load.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="directory of a finished run, such as runs/ID")
    add("folder", type=Path, metavar="FOLDER", help="a folder that is new or empty")
    return parser


if __name__ == "__main__":
    sys.exit(main())
