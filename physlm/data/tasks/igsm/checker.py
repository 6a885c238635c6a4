"""Checking solutions: every name, letter, number, dependency and value."""

from collections.abc import Iterator

from physlm.data.tasks.igsm.language import MODULUS
from physlm.data.tasks.igsm.parameter import Parameter
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.igsm.solution_reading import Operation, Sentence, read_solution
from physlm.data.tasks.igsm.verdict import Fault, FaultKind, Verdict

Found = tuple[FaultKind, str]


def check(problem: Problem, solution_text: str) -> Verdict:
    """The verdict on a solution, whose sentences may have any valid order.

    Args:
        problem: The problem.
        solution_text: Sentences, the answer mark and a number, as a model writes them.

    Source:
        Physics of Language Models, Part 2.1: the parser of solutions. Ours also compares the value
        of every parameter with the true one, so that two mistakes cannot cancel.
    """
    solution = read_solution(solution_text)
    reader = _Reader(problem)
    faults = [
        Fault(kind, number, detail)
        for number, sentence in enumerate(solution.sentences)
        for kind, detail in reader.read(sentence)
    ]
    end = len(solution.sentences)
    if reader.last != problem.query:
        last = "no sentence" if reader.last is None else reader.last.name
        faults.append(Fault(FaultKind.question_not_last, end, last))
    if solution.answer is None:
        faults.append(Fault(FaultKind.no_answer, end, "no number after <answer>, or more words"))
    elif solution.answer != problem.answer:
        faults.append(Fault(FaultKind.wrong_answer, end, str(solution.answer)))
    unnecessary = tuple(p for p in reader.defined if p not in problem.necessary)
    return Verdict(tuple(faults), solution.answer == problem.answer, unnecessary, reader.n_back)


class _Reader:
    """What the sentences so far have defined.

    Attributes:
        problem: The problem.
        defined: Parameters, in order.
        last: The parameter of the last sentence.
        n_back: Parameters taken back.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.defined: list[Parameter] = []
        self.last: Parameter | None = None
        self.n_back = 0
        self._named = {parameter.name: parameter for parameter in problem.dependencies}
        self._number: dict[str, int] = {}  # of each letter, as it was given
        self._sources: dict[str, frozenset[Parameter]] = {}  # parameters that a letter stands for

    def read(self, sentence: Sentence | str) -> Iterator[Found]:
        """The faults of the next sentence."""
        if isinstance(sentence, str):
            yield FaultKind.unreadable_sentence, sentence
            return
        if sentence.is_back:
            self.n_back += 1
            return
        parameter = self._named.get(sentence.name)
        if parameter is None:
            yield FaultKind.unknown_parameter, sentence.name
        elif parameter in self.defined:
            yield FaultKind.repeated_parameter, sentence.name
        for operation in sentence.operations:
            yield from self._operation(operation)
        last = sentence.operations[-1]
        if last.letter != sentence.letter:
            yield FaultKind.wrong_letter, f"{sentence.letter} is defined by {last.letter} = ..."
        self.last = parameter
        if parameter is not None:
            yield from self._parameter(parameter, last)

    def _operation(self, operation: Operation) -> Iterator[Found]:
        """The faults of an operation; its letter is then known by the number that it gives."""
        sources: frozenset[Parameter] = frozenset()
        for term, number in zip(operation.terms, operation.numbers, strict=True):
            if not term.isdecimal() and term not in self._number:
                yield FaultKind.undefined_letter, term
                continue
            if number != (int(term) if term.isdecimal() else self._number[term]):
                yield FaultKind.wrong_number, f"{number} for {term}"
            sources |= self._sources.get(term, frozenset())
        if operation.operator != operation.quoted_operator:
            yield FaultKind.wrong_operator, operation.quoted_operator
        if operation.result != _result(operation):
            yield FaultKind.wrong_result, f"{operation.letter} = ... = {operation.result}"
        if operation.letter in self._number:
            yield FaultKind.repeated_letter, operation.letter
        self._number[operation.letter] = operation.result
        self._sources[operation.letter] = sources

    def _parameter(self, parameter: Parameter, last: Operation) -> Iterator[Found]:
        """The faults of a parameter; the letter that is defined last then stands for it."""
        used, true = self._sources[last.letter], set(self.problem.dependencies[parameter])
        for parent in self.problem.dependencies[parameter]:
            if parent not in used:
                yield FaultKind.missing_parent, f"{parameter.name} without {parent.name}"
        for parent in sorted(used - true):
            yield FaultKind.extra_parent, f"{parameter.name} from {parent.name}"
        if last.result != self.problem.values[parameter]:
            yield FaultKind.wrong_value, f"{parameter.name} = {last.result}"
        self._sources[last.letter] = frozenset((parameter,))
        if parameter not in self.defined:
            self.defined.append(parameter)


def _result(operation: Operation) -> int:
    """The right result of an operation's numbers."""
    if len(operation.numbers) == 1:
        return operation.numbers[0] % MODULUS
    left, right = operation.numbers
    combined = {"+": left + right, "-": left - right, "*": left * right}
    return combined[operation.quoted_operator] % MODULUS
