"""Write questions: `python -m data_gen.questions +experiment=extraction --output questions`.

The words are those of a run with questions, such as +experiment=manipulation_comparison; nothing is
trained. The columns are split, person, asked, paraphrase, question, hint, answer. An output folder
receives train.parquet, test.parquet (held-out people) and a dataset card; if the output ends in
.parquet, one file with both splits is written.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_gen.words import configured
from physlm.atomic import building, replacing
from physlm.config import register
from physlm.data.dataset_card import dataset_card
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
    parser.add_argument(
        "--output", type=Path, required=True, help="folder or .parquet file to write"
    )
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
    if output.suffix == ".parquet":
        with replacing(output) as temporary:
            return _write_table(question_tables(corpus), temporary)
    with building(output) as folder:
        files = {split: f"{split}.parquet" for split in ("train", "test")}
        n_rows = sum(
            _write_table(_of_split(corpus, split), folder / file) for split, file in files.items()
        )
        text = f"Questions with their answers, of `{' '.join(words)}`, written by physlm."
        card = dataset_card(output.name, text, {"questions": files})
        (folder / "README.md").write_text(card, encoding="utf-8")
    return n_rows


def _of_split(corpus: QuestionCorpus | ManipulationCorpus, split: str) -> Iterator[pa.Table]:
    return (table.filter(pc.field("split") == split) for table in question_tables(corpus))


def _write_table(tables: Iterable[pa.Table], path: Path) -> int:
    """Write tables as one file, and return the number of rows."""
    n_rows = 0
    with pq.ParquetWriter(path, QUESTIONS, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            n_rows += len(table)
    return n_rows


if __name__ == "__main__":
    main()
