"""Options of a group, and scales of an experiment, in one YAML file."""

from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from physlm.config import composed, config_dir, register
from physlm.config.aliases import require_bounded
from physlm.errors import InputError

register()

FILES = {
    "config.yaml": "defaults: [size: small, colour: red, _self_]\nname: none",
    "size/small.yaml": "n: 1\nrest: {a: 1, b: 2}",
    "size/large.yaml": "defaults: [small, _self_]\nn: 9\nrest: {b: 3}",
    "colour/red.yaml": "# @package _global_\nshade: red",
    "colour/blue.yaml": "# @package _global_\nshade: blue",
    "both.yaml": "# @package _global_\ndefaults: [override size: large, override colour: blue]",
}
OPTIONS = {
    "config.yaml": FILES["config.yaml"],
    "size.yaml": """
options:
  small: {n: 1, rest: {a: 1, b: 2}}
  large: {defaults: [small, _self_], n: 9, rest: {b: 3}}""",
    "colour.yaml": "# @package _global_\noptions:\n  red: {shade: red}",
    "colour/blue.yaml": FILES["colour/blue.yaml"],
    "both.yaml": FILES["both.yaml"],
}


@pytest.fixture(params=[FILES, OPTIONS], ids=["files", "options"])
def folder(request, tmp_path):
    return written(tmp_path, request.param)


def written(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def values_in(folder, *words):
    with initialize_config_dir(str(folder), version_base="1.3"):
        return OmegaConf.to_container(compose("config", overrides=list(words)))


def test_options_in_one_file_equal_the_files_of_a_folder(folder):
    small = {"size": {"n": 1, "rest": {"a": 1, "b": 2}}, "shade": "red", "name": "none"}
    large = {"size": {"n": 9, "rest": {"a": 1, "b": 3}}, "shade": "red", "name": "none"}
    assert values_in(folder) == small
    assert values_in(folder, "size=large") == large
    assert values_in(folder, "size=large", "colour=blue") == {**large, "shade": "blue"}


def test_options_in_one_file_are_listed_like_the_files_of_a_folder(folder):
    with initialize_config_dir(str(folder), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        assert loader.get_group_options("size") == ["large", "small"]
        assert loader.get_group_options("colour") == ["blue", "red"]
        assert {"size", "colour"} <= set(loader.list_groups(""))
        assert {"config", "both"} <= set(loader.get_group_options("")) - {"size", "colour"}
    with pytest.raises(InputError, match="size=huge is not an option; one of large, small"):
        values_in(folder, "size=huge")


SCALED = """
defaults: [size: small, _self_]
name: common
at_scale:
  workstation: {name: larger, rate: 3}
  gpu,paper: {size: {n: 2}, rate: 1}
  paper: {defaults: [size: large, _self_], rate: 2}
  laptop: {name: own}
"""


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("laptop", {"size": {"n": 1, "rest": {"a": 1, "b": 2}}, "name": "own"}),
        ("workstation", {"size": {"n": 1, "rest": {"a": 1, "b": 2}}, "name": "larger", "rate": 3}),
        ("gpu", {"size": {"n": 2, "rest": {"a": 1, "b": 2}}, "name": "common", "rate": 1}),
        ("paper", {"size": {"n": 2, "rest": {"a": 1, "b": 3}}, "name": "common", "rate": 2}),
    ],
)
def test_the_sections_of_a_scale_are_merged_over_the_file_in_their_order(tmp_path, scale, expected):
    written(tmp_path, {**FILES, "config.yaml": SCALED})
    found = values_in(tmp_path, f"+scale={scale}")
    assert found.pop("scale") == scale
    assert found == expected


def test_a_section_for_a_scale_that_does_not_exist_is_refused(tmp_path):
    written(tmp_path, {**FILES, "config.yaml": SCALED.replace("gpu,paper", "gpu,huge")})
    with pytest.raises(
        InputError, match=r"config.yaml: at_scale.huge; one of laptop, workstation, gpu, paper$"
    ):
        values_in(tmp_path)


def test_a_workstation_is_refused_what_has_no_sizes_of_its_own(tmp_path):
    with pytest.raises(InputError, match="this configuration has no sizes of its own for a work"):
        composed(("+experiment=capacity_1000x", "scale=workstation"))
    text = "# @package _global_\ndefaults: [capacity_1000x, _self_]\nexperiment: mine\n"
    text += "at_scale:\n  workstation: {data: {n_people: 77}}"
    written(tmp_path, {"experiment/mine.yaml": text})
    words = ("+experiment=mine", f"hydra.searchpath=[{tmp_path}]")
    laptop, larger = (composed((*words, f"scale={own}")) for own in ("laptop", "workstation"))
    assert larger.data == replace(laptop.data, n_people=77)
    assert (larger.model, larger.trainer, larger.runtime) == (
        laptop.model,
        laptop.trainer,
        laptop.runtime,
    )


def test_what_starts_from_people_has_their_sizes_on_a_workstation():
    for name in ("extraction", "celebrity", "manipulation_inverse", "attribute_probing"):
        laptop, larger = (
            composed((f"+experiment={name}", f"scale={own}")).parent.config
            for own in ("laptop", "workstation")
        )
        assert larger.model == replace(laptop.model, n_layers=4)
        texts = laptop.data.augmentation
        if name == "manipulation_inverse":  # starts from five texts there
            texts = replace(texts, n_paraphrases=5)
        assert larger.data == replace(laptop.data, augmentation=texts)
    assert composed(("+experiment=mixed_training", "scale=workstation")).model == larger.model


def test_a_folder_on_hydras_search_path_adds_scaled_experiments_and_options(tmp_path):
    written(
        tmp_path,
        {
            "biod.yaml": "# @package _global_\noptions:\n  k3: {data: {n_attributes: 3}}",
            "experiment/mine.yaml": "# @package _global_\ndefaults: [capacity_biod, _self_]\n"
            "experiment: mine\nat_scale:\n  gpu: {seed: 7}",
        },
    )
    path = f"hydra.searchpath=[{tmp_path}]"
    mine = composed(("+experiment=mine", "+biod=k3", "scale=gpu", path))
    assert (mine.experiment, mine.seed, mine.data.n_attributes) == ("mine", 7, 3)
    k1 = composed(("+experiment=mine", "+biod=k1", path))
    assert (k1.seed, k1.data.n_attributes, k1.data.n_people) == (0, 1, 5000)


def test_no_two_configuration_files_are_equal():
    texts = [path.read_text() for path in config_dir().rglob("*.yaml")]
    assert len(set(texts)) == len(texts) <= 170


def test_a_scale_that_a_file_chooses_is_refused(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\nscale: gpu\n")
    with pytest.raises(InputError, match="a file sets scale=gpu, which only the command line can"):
        composed((f"hydra.searchpath=[file://{tmp_path}]", "+experiment=mine"))


def test_aliases_without_end_are_refused_and_others_taken(tmp_path):
    """Ten lines that name each other eight times would be a billion values."""
    path = tmp_path / "some.yaml"
    lines = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 10)]
    path.write_text("\n".join(["a0: &a0 [x, x]", *lines]))
    with pytest.raises(InputError, match=r"some.yaml has more than 100000 values with its aliases"):
        require_bounded(path)
    path.write_text("\n".join(["a0: &a0 [x, x]", *lines[:3]]))
    require_bounded(path)
