"""Dataset cards: a README.md by which `datasets.load_dataset` reads a folder of Parquet tables."""

from collections.abc import Mapping

import yaml


def dataset_card(title: str, text: str, tables: Mapping[str, str | Mapping[str, str]]) -> str:
    """The text of a card, whose metadata says which files are which configuration and split.

    Args:
        title: Title of the dataset.
        text: Its description, in Markdown.
        tables: The file of each configuration, or its files by split; the default configuration
            comes first. A single file is the split ``train``, as the library names it.
    """
    configs = []
    for number, (name, files) in enumerate(tables.items()):
        by_split = {"train": files} if isinstance(files, str) else files
        paths = [{"split": split, "path": path} for split, path in by_split.items()]
        is_default = {"default": True} if number == 0 else {}
        configs.append({"config_name": name, "data_files": paths, **is_default})
    metadata = {"tags": ["physlm", "synthetic", "physics-of-language-models"], "configs": configs}
    described = yaml.safe_dump(metadata, sort_keys=False).strip()
    return f"---\n{described}\n---\n\n# {title}\n\n{text.strip()}\n"
