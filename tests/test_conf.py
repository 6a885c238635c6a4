"""Every configuration that a user can name composes, builds and has one identity."""

from dataclasses import asdict
from itertools import cycle
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from physlm.config import RunConfig, composed, config_dir, register, run_config
from physlm.config.files import option_names
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.files.bible import BibleConfig
from physlm.data.fixed_length import FixedLengthConfig
from physlm.data.mixture import part_of
from physlm.data.people.junk import JunkConfig
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.mixed import MixedConfig
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.tasks.task_corpus import TaskConfig
from physlm.errors import InputError
from physlm.measurement import metric_text, parse_metric
from physlm.models.size import n_parameters
from physlm.report.results import Results
from physlm.sweep import points_of

register()


def options_of(group):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return GlobalHydra.instance().config_loader().get_group_options(group)


# Without the one that looks inside a run of one's own.
EXPERIMENTS = sorted({*options_of("experiment")} - {"inside"})
ROOT = Path(__file__).parent.parent
RESULTS = [path.parent for path in ROOT.glob("experiments/*/metrics.csv")]
# Without those that are built from a run or a folder.
MODELS = sorted({*options_of("model")} - {"inherited", "checkpoint", "endpoint"})
SCALES = ("laptop", "gpu", "paper")
TURNS = dict(zip(EXPERIMENTS, cycle(SCALES), strict=False))


def at_every_scale(names, experiment_of=str):
    """Pairs of name and scale; those of the scale whose turn it is are fast, the others slow."""
    return [
        pytest.param(name, scale, marks=() if is_its_turn else pytest.mark.slow)
        for name in names
        for scale in SCALES
        for is_its_turn in [TURNS[experiment_of(name)] == scale]
    ]


@pytest.fixture
def config():
    return lambda *words: composed(words)


@pytest.mark.parametrize(("experiment", "scale"), at_every_scale(EXPERIMENTS))
def test_every_experiment_composes_at_every_scale(config, experiment, scale):
    chosen = config(f"+experiment={experiment}", f"scale={scale}")
    assert (chosen.experiment, chosen.scale.value) == (experiment, scale)
    if isinstance(chosen.data, PublicFiguresConfig | BibleConfig):
        return  # there is one table, or one book; the model makes the scale
    is_small = size_of_world(chosen) < 10_000
    assert is_small == (scale == "laptop")


def size_of_world(chosen: RunConfig) -> int:
    """People, or ten thousands of tokens; those of a task fill about half of its windows."""
    if isinstance(chosen.data, FixedLengthConfig):
        return chosen.data.n_texts * chosen.data.seq_len // 10_000
    if isinstance(chosen.data, TaskConfig):
        return chosen.data.n_documents * chosen.data.seq_len // 20_000
    if isinstance(chosen.data, CfgConfig):
        return round(chosen.data.n_strings * chosen.data.build(0).grammar.mean_length / 10_000)
    if isinstance(chosen.data, MixedConfig):
        return chosen.data.biographies.n_people
    if isinstance(chosen.data, JunkConfig):
        return chosen.data.target.n_people
    return chosen.data.n_people if chosen.parent is None else size_of_world(chosen.parent.config)


@pytest.mark.parametrize(
    ("experiment", "scale"), at_every_scale(e for e in EXPERIMENTS if e.startswith("cfg"))
)
def test_what_measures_a_grammar_accepts_its_model(config, experiment, scale):
    chosen = config(f"+experiment={experiment}", f"scale={scale}")
    corpus = chosen.data.build(0)
    chosen.model.n_layers = 1  # its depth does not matter here, and takes long to build
    model = chosen.model.build(corpus.vocabulary.size, chosen.data.seq_len, 0)
    for scorer in chosen.eval.values():
        scorer.check(model, corpus)


def test_paper_scale_of_grammars_is_the_published_recipe(config):
    chosen = config("+experiment=cfg_learn", "scale=paper")
    assert (chosen.data.grammar, chosen.data.root, chosen.data.seq_len) == ("cfg3f", None, 512)
    assert (chosen.model.n_layers, chosen.model.n_heads, chosen.model.d_model) == (12, 12, 768)
    optim = chosen.optim
    assert (optim.learning_rate, optim.weight_decay, optim.warmup_steps) == (3e-4, 0.1, 0)
    assert (optim.beta_1, optim.beta_2, optim.min_lr_ratio) == (0.9, 0.98, 0)
    assert (chosen.trainer.batch_size, chosen.trainer.precision.value) == (96, "fp32")
    grammar = chosen.data.build(0).grammar
    n_steps = chosen.data.n_strings * (grammar.mean_length + 1) / (96 * 512)
    assert n_steps == pytest.approx(100_000, rel=0.01)
    assert chosen.eval["cfg_accuracy"].n_samples == 20_000


def test_paper_scale_of_people_is_the_published_recipe(config):
    chosen = config("+experiment=extraction", "scale=paper")
    people = chosen.parent.config
    assert (people.scale.value, people.data.n_people, people.data.seq_len) == ("paper", 10**5, 512)
    assert (people.model.n_layers, people.model.n_heads, people.model.d_model) == (12, 12, 768)
    optim, tuned = people.optim, chosen.optim
    assert (optim.learning_rate, optim.weight_decay, optim.warmup_steps) == (1e-3, 0.1, 1000)
    assert (optim.min_lr_ratio, optim.epsilon, people.trainer.batch_size) == (0.1, 1e-6, 96)
    n_steps = people.data.exposures * people.data.n_people * 73 / (96 * 512)
    assert n_steps == pytest.approx(80_000, rel=0.01)
    assert (tuned.learning_rate, tuned.weight_decay, chosen.trainer.batch_size) == (3e-4, 0.01, 48)
    assert (chosen.model.rank, chosen.model.embedding_rank) == (8, 128)
    laptop = config("+experiment=extraction").parent.config
    assert (laptop.scale.value, laptop.data.n_people) == ("laptop", 300)


def test_gpu_scale_is_the_published_recipe(config):
    chosen = config("+experiment=capacity_1000x", "scale=gpu")
    assert type(chosen.data).__name__ == "BiosConfig"
    assert (chosen.model.n_layers, chosen.model.d_model) == (2, 64)
    assert (chosen.optim.weight_decay, chosen.trainer.batch_size) == (0.02, 24)
    assert (chosen.trainer.precision.value, chosen.runtime.compile) == ("bf16", None)


@pytest.mark.parametrize(
    ("experiment", "scale"), at_every_scale(e for e in EXPERIMENTS if e.startswith("capacity"))
)
def test_every_world_holds_the_bits_that_are_published(config, experiment, scale):
    chosen = config(f"+experiment={experiment}", f"scale={scale}")
    world = part_of(chosen.data.build(0), KnowledgeCorpus)
    size = sum(
        n_parameters(chosen.architecture, world.vocabulary.size, chosen.data.seq_len).values()
    )
    published = chosen.published.get("capacity/bits_per_parameter{split=train}", 0.0)
    assert world.maximum_bits / size > published


def test_published_numbers_are_of_metrics_as_scorers_write_them():
    """One that is misspelt would stand beside nothing, without a word."""
    known = {kind(text) for folder in RESULTS for text in Results.read(folder).texts}
    for path in config_dir().rglob("*.yaml"):
        for text in (yaml.safe_load(path.read_text()) or {}).get("published") or {}:
            assert metric_text(*parse_metric(text)) == text
            assert kind(text) in known, f"{path}: {text}"


def kind(text):
    """The name and which dimensions it has, whatever their values."""
    name, dims = parse_metric(text)
    return name, *dims


@pytest.mark.parametrize("model", MODELS)
def test_every_model_builds(config, model):
    chosen = config(f"model={model}", "data=biod", "data.n_people=10")
    if model.startswith("gpt2-"):
        layers, heads = map(int, model.split("-")[1:])
        assert (chosen.model.n_layers, chosen.model.n_heads) == (layers, heads)
        assert chosen.model.d_model == 64 * heads
    if chosen.model.n_layers <= 4:
        chosen.model.build(50, 64, 0)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "rope_quarter_canon" else pytest.mark.slow)
        for name in options_of("architecture")
    ],
)
def test_every_architecture_is_as_large_as_rope(config, name):
    words = ("data=biod", "data.n_people=10", "model=llama")
    sizes = []
    for arm in ("rope", name):
        chosen = config(*words, f"+architecture={arm}")
        assert chosen.label == arm
        found = n_parameters(chosen.model, 100, 64)
        sizes.append(sum(found.values()) - found["embedding"])
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", options_of("canon"))
def test_every_group_of_canon_layers_builds(config, name):
    chosen = config("data=biod", "data.n_people=10", f"+canon={name}").model
    assert len(chosen.build(50, 64, 0).blocks[0].convolutions) == len(chosen.canon.positions)


def test_a_command_line_value_beats_experiment_and_scale(config):
    chosen = config("+experiment=capacity_100x", "data.n_people=77", "runtime.n_threads=2")
    assert (chosen.data.n_people, chosen.runtime.n_threads) == (77, 2)


def test_the_run_id_follows_science_and_nothing_else(config):
    base = config("+experiment=capacity_100x")
    same = (
        "runtime.n_threads=2",
        "logger=csv",
        "runs_dir=elsewhere",
        "force=true",
        "launcher=processes",
        "runtime.checkpoint_seconds=1",
    )
    assert all(config("+experiment=capacity_100x", word).run_id == base.run_id for word in same)
    other = (
        "seed=1",
        "data.exposures=99",
        "model.d_model=48",
        "optim.learning_rate=1e-3",
        "trainer.batch_size=8",
        "eval.capacity.n_renderings=2",
    )
    ids = {config("+experiment=capacity_100x", word).run_id for word in other}
    assert len(ids | {base.run_id}) == len(other) + 1


def test_what_came_later_names_only_the_runs_that_use_it(config):
    plain = config("data=bios", "data.augmentation.second_language=false")
    assert plain.run_id == config("data=bios").run_id
    assert config("data=bios", "data.augmentation.second_language=true").run_id != plain.run_id


def test_what_only_measures_is_one_run_whatever_its_exposures_are(config):
    words = ("+experiment=people", "stage=measure", "init_from='+experiment=people'")
    measured = config(*words)
    assert measured.data.exposures == 0
    assert config(*words, "data.exposures=7").run_id == measured.run_id
    assert measured.run_id != measured.parent.config.run_id


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data.exposures=0",), "data.exposures=0; must be at least 1 in training. stage=measure"),
        (("stage=measure",), "name the run to be measured by init_from"),
        (("stage=measure", "init_from='+experiment=capacity_quantised'"), "trains nothing"),
        (
            (
                "stage=train",
                "model=inherited",
                "model.weight_bits=8",
                "init_from='+experiment=people'",
            ),
            "model.weight_bits=8 quantises the weights of a finished run; set stage=measure",
        ),
    ],
)
def test_a_stage_that_the_rest_contradicts_is_refused(config, words, message):
    with pytest.raises(InputError, match=message):
        config(*words)


def test_the_same_point_has_the_same_name_by_another_road(config):
    short = config("+experiment=capacity_100x")
    long = config("+experiment=capacity_1000x", "data.exposures=100", "trainer.batch_size=16")
    assert short.run_dir == long.run_dir


def test_a_configuration_survives_its_file(config):
    chosen = config("+experiment=capacity_100x")
    assert chosen.as_dict()["data"]["attribute_order"] == "fixed"
    assert asdict(chosen)["data"]["n_people"] == chosen.as_dict()["data"]["n_people"]


@pytest.mark.parametrize(
    "override",
    [
        "data.typo=3",
        "model.d_modle=3",
        "data.n_people=abc",
        "trainer.precision=fp8",
        "+experiment=nope",
        "data=nope",
    ],
)
def test_what_hydra_does_not_know_is_refused(config, override):
    with pytest.raises(InputError):
        config(override)


def test_an_added_key_is_refused(config):
    with pytest.raises(InputError, match="unknown key.*typo"):
        config("+data.typo=3")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=-1", "seed=-1"),
        ("data.n_people=0", "n_people=0"),
        ("data.seq_len=0", "seq_len=0"),
        ("model.n_heads=3", "d_model=128 is not divisible by n_heads=3"),
        ("optim.learning_rate=-1", "learning_rate=-1"),
        ("runtime.n_devices=5", "batch_size=96 is not divisible by 5"),
        ("trainer.gradient_accumulation_steps=7", "gradient_accumulation_steps=7"),
        ("eval.capacity.n_renderings=0", "n_renderings=0"),
    ],
)
def test_values_out_of_range_are_refused_by_name(config, override, message):
    with pytest.raises(ValueError, match=message):
        config(override)


@pytest.mark.parametrize("launcher", ["serial", "processes", "slurm"])
def test_every_launcher_composes(config, launcher):
    assert config("+experiment=capacity_100x", f"launcher={launcher}").experiment == "capacity_100x"


def test_what_an_experiment_measures_can_be_exchanged(config):
    for name in ("cfg_learn", "cfg_inside", "cfg_robust"):
        assert set(config(f"+experiment={name}", "eval=cfg_probing").eval) == {"cfg_probing"}


# A key of each sweep that makes it smaller; of the others it is data.n_people=50.
SMALLER = {
    "architectures": "data.n_documents=500",
    "attribute_probing": "eval.q_probe.n_steps=5",
    "capacity_domain_token": "data.target.n_people=50",
    "capacity_junk": "data.target.n_people=50",
    "capacity_quantised": "eval.capacity.n_renderings=1",
    "celebrity": "data.exposures=2",
    "cfg_grammars": "data.n_strings=500",
    "cfg_positions": "data.n_strings=500",
    "cfg_robustness": "data.n_strings=500",
    "extraction": "data.exposures=2",
    "mixed_training": "data.biographies.n_people=50",
    **dict.fromkeys(
        (
            "manipulation_classification",
            "manipulation_comparison",
            "manipulation_inverse",
            "manipulation_inverse_alone",
            "manipulation_retrieval",
            "two_hop",
        ),
        "data.exposures=2",
    ),
}
SWEEPS = sorted(path.stem for path in (config_dir().parent / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_takes_keys_of_its_experiment(name):
    key, _, value = SMALLER.get(name, "data.n_people=50").partition("=")
    words = (f"+sweeps={name}", "seed=7", f"{key}={value}")
    loader, swept = loaded(words, RunMode.MULTIRUN)
    assert swept.hydra.mode is RunMode.MULTIRUN
    assert OmegaConf.select(swept, key) == int(value)
    *_, last = points_of(words)
    assert OmegaConf.select(loader.load_sweep_config(swept, list(last)), key) == int(value)
    assert all("seed=7" in point for point in points_of(words))


def test_there_are_sweeps():
    assert len(SWEEPS) >= 30
    assert set(SMALLER) <= set(SWEEPS)


FITS = [
    pytest.param(task, scale, marks=[] if (task, scale) == ("capo", "gpu") else pytest.mark.slow)
    for task in ("copy", "depo", "brevo", "mano", "lano", "capo")
    for scale in ("laptop", "gpu", "paper")
]


@pytest.mark.parametrize(("task", "scale"), FITS)
def test_every_architecture_fits_every_task(config, task, scale):
    for name in sorted(option_names("architecture")):
        words = (f"+experiment={task}", f"+architecture={name}", f"scale={scale}")
        assert config(*words).label == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("single", (1, 1, "fixed")),
        ("single_permute5", (1, 5, "random")),
        ("multi5", (5, 1, "fixed")),
        ("multi5_permute", (5, 1, "random")),
        ("couple", (2, 1, "coupled")),
        ("redrawn", (0, 1, "random")),
        ("single_french", (1, 1, "fixed")),
    ],
)
def test_texts_of_people_have_their_published_names(config, text, expected):
    chosen = config("data=bios", f"+augmentation={text}").data.augmentation
    assert (chosen.n_paraphrases, chosen.n_permutations, chosen.order.value) == expected


@pytest.mark.parametrize(
    ("corrupted", "expected"),
    [
        ("none", (0.0, "terminal", 0.15)),
        ("terminal", (0.1, "terminal", 0.15)),
        ("nonterminal", (0.1, "nonterminal", 0.1)),
        ("nonterminal_fixed", (0.1, "nonterminal_fixed", 0.05)),
    ],
)
def test_corrupted_training_is_as_published(config, corrupted, expected):
    data = config("+experiment=cfg_robust", f"+corrupted={corrupted}").data
    assert (data.corrupted_fraction, data.corruption.value, data.corruption_rate) == expected


def test_every_position_variant_builds_from_the_command_line(config):
    for position in ("rope", "relative", "position_only", "uniform", "learned", "none"):
        chosen = config("+experiment=cfg_position", f"model.position={position}")
        assert chosen.model.build(4, 128, 0).config.position.value == position


GROUPS = {
    "biod": "capacity_biod",
    "junk": "capacity_junk",
    "domain": "capacity_domain_token",
    "mlp": "capacity_gated_mlp",
    "experts": "capacity_moe",
    "told": "capacity_augmentation",
}


@pytest.mark.parametrize(("group", "scale"), at_every_scale(GROUPS, GROUPS.get))
def test_every_choice_of_a_capacity_experiment_is_a_run_of_its_own(config, group, scale):
    options = options_of(group)
    words = (f"+experiment={GROUPS[group]}", f"scale={scale}")
    assert len({config(*words, f"+{group}={option}").run_id for option in options}) == len(options)


@pytest.mark.parametrize(("group", "scale"), at_every_scale(["mlp", "experts"], GROUPS.get))
def test_architectures_that_are_compared_have_as_many_parameters(config, group, scale):
    """Within 5%; of GPT-2's tokens bioS uses 3,275."""
    sizes = []
    for option in options_of(group):
        chosen = config(f"+experiment={GROUPS[group]}", f"+{group}={option}", f"scale={scale}")
        n_tokens = chosen.data.build(0).vocabulary.size if scale == "laptop" else 3275
        sizes.append(sum(n_parameters(chosen.model, n_tokens, chosen.data.seq_len).values()))
    assert max(sizes) / min(sizes) < 1.05


def loaded(words, run_mode=RunMode.RUN):
    """What Hydra itself composes, by its own interface."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return loader, loader.load_configuration("config", list(words), run_mode)


def test_a_scale_means_the_same_wherever_words_are_composed():
    words = ("+experiment=extraction", "scale=gpu")
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        assert run_config(compose("config", overrides=list(words))) == composed(words)
    people = ("+experiment=people", "+augmentation=multi5_permute")
    assert composed(words).parent.config.data == composed((*people, "scale=gpu")).data
    assert composed(words[:1]).parent.config.data == composed(people).data
    assert composed(people).data.n_people < composed((*people, "scale=gpu")).data.n_people


def test_a_sweep_over_scales_gives_each_point_the_files_of_its_scale():
    words = ["+experiment=capacity_1000x"]
    loader, swept = loaded([*words, "scale=laptop,gpu"], RunMode.MULTIRUN)
    laptop, gpu = (
        loader.load_sweep_config(swept, [*words, f"scale={scale}"]) for scale in ("laptop", "gpu")
    )
    assert laptop.data.n_people < gpu.data.n_people == 12_000


def test_a_scale_that_does_not_exist_is_refused_with_those_that_do():
    for words in (["scale=huge"], ["scale=laptop,huge"], ["++scale='huge'"]):
        with pytest.raises(
            InputError, match="^scale=huge; one of laptop, workstation, gpu, paper$"
        ):
            loaded(words)
