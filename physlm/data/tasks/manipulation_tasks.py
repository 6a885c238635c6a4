"""All manipulation tasks by name, and the words that they need."""

from functools import cache

from physlm.data.people.question_vocabulary import ANSWER
from physlm.data.tasks.comparison import Comparison, Remainder
from physlm.data.tasks.inverse import BornInYear, Inverse
from physlm.data.tasks.retrieval import Pair, PartOfDate, TwoHop
from physlm.data.tasks.task import HINT, HINT_END, Task

_PAIRS = (
    ("birth_city", "employer"),
    ("employer", "birth_city"),
    ("university", "major"),
    ("major", "university"),
    ("company_city", "employer"),
    ("employer", "company_city"),
)
_GIVEN_NAMES = {1: "birth_date", 2: "date_and_city", 3: "three", 4: "four", 6: "all"}


@cache
def tasks() -> dict[str, Task]:
    """Every task by name."""
    found: list[Task] = [PartOfDate("birth_day"), PartOfDate("birth_year")]
    found += [Pair(f"{a}_then_{b}", first=a, second=b) for a, b in _PAIRS]
    found.append(TwoHop("city_of_employer"))
    for quantity, moduli in (("birth_month", (2, 6, 12)), ("major_rank", (5, 20, 100))):
        found += [Remainder(f"{quantity}_mod_{m}", quantity=quantity, modulus=m) for m in moduli]
        found.append(Comparison(f"{quantity}_ranking", 2, quantity))
        found.append(Comparison(f"{quantity}_subtraction", 2, quantity, is_difference=True))
    for n, given in _GIVEN_NAMES.items():
        for kind in ("first", "full"):
            found.append(Inverse(f"{kind}_name_from_{given}", n_given=n, is_full=kind == "full"))
    found.append(BornInYear("born_in_year"))
    return {task.name: task for task in found}


def task_words(*chosen: Task) -> list[str]:
    """Every piece of text that tasks need in addition to those of biographies and names."""
    return [ANSWER, HINT, HINT_END, *(text for task in chosen for text in task.texts())]
