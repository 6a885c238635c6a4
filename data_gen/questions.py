"""Write questions: `python -m data_gen.questions +experiment=extraction --output q.parquet`.

The words are those of a run with questions, such as +experiment=manipulation_comparison; nothing is
trained. The columns are split, person, asked, paraphrase, question, hint, answer.
"""

import argparse
import sys
from pathlib import Path

import pyarrow.parquet as pq

from data_gen.words import configured
from physlm.atomic import replacing
from physlm.config import register
from physlm.data.people.questions import QuestionCorpus
from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.question_table import QUESTIONS, question_tables
from physlm.errors import InputError, refused_values
from physlm.messages import explain
from physlm.preparation import corpus_of
from physlm.revision import add_version


def main() -> None:
    """Write a table of questions with their answers, and print their number."""
    parser = argparse.ArgumentParser(prog="python -m data_gen.questions", description=__doc__)
    add_version(parser)
    parser.add_argument("words", nargs="+", help="such as +experiment=extraction seed=1")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    chosen = parser.parse_args()
    register()
    try:
        n_rows = _write(tuple(chosen.words), chosen.output)
    except Exception as error:  # noqa: BLE001 - the last handler: every error becomes one line
        sys.exit(explain(error))
    print(f"{n_rows:,} questions: {chosen.output}")  # noqa: T201 - the command's result


def _write(words: tuple[str, ...], output: Path) -> int:
    if output.exists():
        raise InputError(f"{output} exists; choose another output or remove it")
    with refused_values():
        corpus = corpus_of(configured(words))
    if not isinstance(corpus, QuestionCorpus | ManipulationCorpus):
        raise InputError(
            f"{' '.join(words)} has no questions; use data=questions or data=manipulation"
        )
    n_rows = 0
    with (
        replacing(output) as temporary,
        pq.ParquetWriter(temporary, QUESTIONS, compression="zstd") as writer,
    ):
        for table in question_tables(corpus):
            writer.write_table(table)
            n_rows += len(table)
    return n_rows


if __name__ == "__main__":
    main()
