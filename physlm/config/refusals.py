"""Error messages, in our words, for command lines that Hydra and OmegaConf cannot compose."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from physlm.errors import InputError
from physlm.registry import FOLDERS, names, schemas, tag_of
from physlm.schema import Schema
from physlm.suggestions import did_you_mean, suggestion

# The kinds of values, in OmegaConf's words and in ours.
_KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}

# Groups that conf/config.yaml chooses an option of, so that no plus is needed.
_CHOSEN = ("scale", "data", "model", "eval", "logger", "launcher")

_HELP = "--help lists the keys"

Groups = Callable[[], Sequence[str]]


def refusal(
    error: HydraException | OmegaConfBaseException | AssertionError,
    words: Sequence[str],
    groups: Groups,
) -> InputError:
    """The error for what cannot be composed, in one line with the remedy.

    Args:
        error: Of Hydra or OmegaConf, which asserts that a part to be changed is not null.
        words: The overrides.
        groups: Gives the names of all groups.

    Raises:
        AssertionError: If it is none of theirs.
    """
    text = _flat(str(error))
    if isinstance(error, AssertionError) and "root: NoneType" not in text:
        raise error
    known = (*_about_words(error, text, words), *_about_keys(error, text, words, groups))
    return InputError(known[0] if known else _without_classes(text))


def _about_words(error: Exception, text: str, words: Sequence[str]) -> Iterator[str]:
    """Messages about overrides that cannot be read, or choose an option that does not exist."""
    if isinstance(error, OverrideParseException):
        yield _unreadable(error.override)
    if found := re.match(r"Ambiguous value for argument '([^=]*)=([^']*)'", text):
        key, value = found.groups()
        yield (
            f"{key}={value} has several values; add --multirun to run each of them, or write "
            f"{key}=[{value}] for a list"
        )
    for cause in _chain(error):
        if isinstance(cause, MissingConfigException) and cause.options is not None:
            yield _unknown_option(cause, words)
    if found := re.search(r"In '([\w/]+)/([^'/]+)': .*raised while composing", text):
        yield _unfit_option(found[1], found[2], str(error))


def _about_keys(error: Exception, text: str, words: Sequence[str], groups: Groups) -> Iterator[str]:
    """Messages about keys that do not exist, or cannot have a value."""
    *_, cause = _chain(error)
    if isinstance(error, AssertionError):
        yield _of_a_null_section(words)
    if found := re.match(r"Could not override '([^']*)'", text):
        yield _unknown_key(found[1], cause, words, groups)
    if found := re.match(r"Error merging override (\S.*)$", text):
        yield _unfit_value(found[1], cause)
    if found := re.match(r"Could not append.*Either remove \+ prefix: '([^']*)'", text):
        yield f"+{found[1]}: the key exists already; leave out the plus: {found[1]}"
    if found := re.match(r"Could not delete from config. '([^']*)' does not exist", text):
        meant = did_you_mean(found[1], groups()).replace("mean ", "mean ~")
        yield f"~{found[1]}: there is no such key or group{meant}"


def unknown_added_key(composed: DictConfig, error: AttributeError, groups: Groups) -> InputError:
    """The error for a key that ``+key=value`` added, and that its section does not have."""
    group = next((key for key in map(str, composed) if "/" in key), None)
    kind = (group or "").rpartition("/")[2]
    if group is not None and kind in FOLDERS:
        known = ", ".join(names(kind)) or "none but attention, the default"
        return InputError(
            f"+{group}={composed[group]}: no file {group}/{composed[group]}.yaml in conf or in "
            f"--config-dir; the registered {kind} schemas are: {known}"
        )
    found = re.search(r"attribute '([^']+)'", str(error))
    name = found[1] if found else str(error)
    key = next((key for key in _keys(composed) if _leaf(key) == name), name)
    if "." not in key and (meant := suggestion(key, groups())):
        return InputError(f"unknown key {key}; did you mean {_choice(meant, composed[key])}?")
    known_keys = (one for one in _keys(composed, typed_only=True) if one != key)
    return InputError(f"unknown key {key}{_meant_key(key, known_keys)}")


def _of_a_null_section(words: Sequence[str]) -> str:
    """A key of a section that is null until a group is chosen."""
    if of_jobs := next((word for word in words if word.startswith("launcher.")), None):
        return f"{of_jobs}: only Slurm jobs have this key; choose launcher=slurm, too"
    deep = next((word for word in words if word.partition("=")[0].count(".") > 1), "a key")
    return f"{deep}: its section is null; choose one first, as +canon=abcd does for model.canon"


def _unreadable(word: str) -> str:
    """A word that Hydra's grammar does not take."""
    key, equals, value = word.partition("=")
    if not equals:
        return f"{word} is not KEY=VALUE; write it so, without blanks around ="
    return f"""{word} cannot be read; quote its value, as in '{key}="{value}"'"""


def _unknown_option(error: MissingConfigException, words: Sequence[str]) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    given = next((w for w in words if w.lstrip("+") == f"{group}={name}"), f"{group}={name}")
    options = list(error.options or ())
    remedy = did_you_mean(name, options) or f"; one of {', '.join(options)}"
    return f"{given} is not an option{remedy}"


def _unknown_key(key: str, cause: BaseException, words: Sequence[str], groups: Groups) -> str:
    value = next((w.partition("=")[2] for w in words if w.startswith(f"{key}=")), "NAME")
    every = list(groups())
    if key in every or key.partition("/")[0] in every:
        return f"{key} needs a plus: write +{key}={value}"
    if re.search(r" not in 'Inherited", str(cause)):  # its schemas have few keys
        section = key.partition(".")[0]
        return (
            f"unknown key {key}: {section} comes from the parent run; set it in init_from, as "
            f"in 'init_from=\"+experiment=NAME {key}=...\"'"
        )
    if "." not in key and (meant := suggestion(key, every)):
        return f"unknown key {key}; did you mean {_choice(meant, value)}?"
    parent = getattr(cause, "parent_node", None)
    root = parent._get_root() if parent is not None else None
    return f"unknown key {key}{_meant_key(key, _keys(root) if root is not None else ())}"


def _choice(group: str, value: object) -> str:
    """The word that chooses an option of a group."""
    return f"{'' if group in _CHOSEN else '+'}{group}={value}"


def _meant_key(key: str, known: Iterable[str]) -> str:
    """The end of the message about an unknown key: the key beside it that is meant, or another."""
    known = list(known)
    section, _, leaf = key.rpartition(".")
    beside = {_leaf(one): one for one in known if one.rpartition(".")[0] == section}
    others = {_leaf(one): one for one in sorted(known, key=lambda one: "." in one, reverse=True)}
    for among in (beside, others):
        if meant := suggestion(leaf, among):
            return f"; did you mean {among[meant]}?"
    return f"; {_HELP}"


def _unfit_value(word: str, cause: BaseException) -> str:
    """A value of another type, or one that is not an option of its key."""
    text = _flat(str(cause))
    _, _, value = word.partition("=")
    if found := re.search(r"expected one of \[([^\]]*)\]", text):
        options = found[1].split(", ")
        return f"{word}; one of {found[1]}{did_you_mean(value, options)}"
    if (found := re.search(r"could not be converted to (\w+)", text)) and found[1] in _KINDS:
        return f"{word}; must be {_KINDS[found[1]]}"
    if "is not a ListConfig" in text:
        return f"{word}; must be a list, as [{value}]"
    if "(dict) is not a valid input" in text:
        return f"{word}: {word.partition('=')[0].rpartition('.')[0]} is a value without parts"
    return f"{word}: {_without_classes(text)}"


def _unfit_option(group: str, name: str, text: str) -> str:
    """An option of a group whose keys the chosen world or model does not have."""
    found = re.search(r"Key '(\w+)' not in '(\w+)'", text)
    full = re.search(r"full_key: ([\w.]+)", text)
    if found is None or full is None:
        return f"+{group}={name}: {_without_classes(_flat(text.partition('composing config:')[2]))}"
    section = full[1].rpartition(".")[0]
    if section not in ("data", "model"):
        return f"+{group}={name}: there is no key {full[1]}; {_HELP}"
    every = schemas(section)
    chosen = next((tag_of(own) for own in every.values() if own.__name__ == found[2]), section)
    having = ", ".join(tag for tag, own in every.items() if found[1] in _fields(own))
    kinds = "worlds" if section == "data" else "models"
    return f"+{group}={name} sets {full[1]}, which {chosen.replace('/', '=')} does not have; " + (
        f"{kinds} with it: {having}" if having else f"no other {kinds[:-1]} has it, either"
    )


def _fields(schema: type[Schema]) -> Iterable[str]:
    return schema.__dataclass_fields__


def _keys(node: DictConfig, prefix: str = "", *, typed_only: bool = False) -> Iterator[str]:
    """All dotted keys below a node, without Hydra's own."""
    kind = OmegaConf.get_type(node)
    for name in map(str, node):
        if not prefix and name == "hydra":
            continue
        if typed_only and kind and issubclass(kind, Schema) and name not in _fields(kind):
            continue
        yield f"{prefix}{name}"
        child = None if OmegaConf.is_missing(node, name) else node._get_node(name)
        if isinstance(child, DictConfig) and not child._is_none():
            yield from _keys(child, f"{prefix}{name}.", typed_only=typed_only)


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes; the last one knows what happened."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _flat(text: str) -> str:
    """The first paragraph of a message on one line, without the details that follow it."""
    return " ".join(re.split(r"\s+(?:full_key:|Config search path:|See https)", text)[0].split())


def _without_classes(text: str) -> str:
    """A message without the names of our classes."""
    return re.sub(r"'(\w+?)Config'", lambda found: f"'{found[1].lower()}'", text)
