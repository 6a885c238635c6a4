"""Rewriting by a model: what is wrong is asked for again, and nothing that was written is lost."""

import contextlib
import email.utils
import io
import itertools
import json
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from data_gen.rewrite import RewriteConfig, main
from physlm.data.bio.bior import BiorConfig, persons_of
from physlm.data.bio.rewriting import lacking, prompt, rewrite
from physlm.errors import InputError
from physlm.models import endpoint as endpoints
from physlm.models.text_generator import EndpointWriter, LocalWriter
from physlm.rng import stream

N = 6


@pytest.fixture(scope="module")
def persons():
    return persons_of(BiorConfig(n_people=N), 0)[1]


def faithful(asked):
    """A biography with all that a prompt gives."""
    name = re.search(r"(?:of|about|Describe) ([A-Z]\S* [A-Z]\S* [A-Z][\w']*)", asked)[1]
    return f'"{name}: {"; ".join(re.findall(r"^- (.*)$", asked, re.M))}."'


N_CALLS = itertools.count()


def forgetful(asked):
    """Every other time, a fact is missing."""
    text = faithful(asked)
    return text if next(N_CALLS) % 2 else re.sub(r"majored in [^;.]*", "studied", text)


def rewritten(persons, write, path, **values):
    chosen = {"n_texts": 2, "max_tries": 5, "seed": 0, **values}
    return rewrite(persons, lambda prompts: enumerate(map(write, prompts)), path, **chosen)


def test_a_prompt_gives_every_fact(persons):
    person = persons[0]
    prompts = {prompt(person, stream(0, i)) for i in range(20)}
    assert len(prompts) > 10
    for asked in prompts:
        assert not lacking(asked, person)
        assert not lacking(faithful(asked), person)


@pytest.mark.parametrize(
    "change",
    [
        lambda text, p: text.replace(p.name, p.name.split()[0]),
        lambda text, p: text.replace(p.facts["birth_date"], p.facts["birth_date"][:-1]),
        lambda text, p: text.replace(p.facts["major"], p.facts["major"] + "s"),
        lambda text, p: text.replace(p.facts["employer"], p.facts["employer"].lower()),
    ],
)
def test_what_is_not_said_word_for_word_is_lacking(persons, change):
    text = faithful(prompt(persons[0], stream(0, "prompt")))
    assert len(lacking(change(text, persons[0]), persons[0])) == 1


def test_texts_lacking_a_fact_are_asked_for_again(persons, tmp_path):
    path = rewritten(persons, forgetful, tmp_path / "texts.parquet")
    table = pq.read_table(path).to_pylist()
    assert [(row["person"], row["name"]) for row in table] == [
        (i, p.name) for i, p in enumerate(persons) for _ in range(2)
    ]
    assert not any(lacking(row["text"], persons[row["person"]]) for row in table)
    assert '"' not in table[0]["text"]
    answers = (tmp_path / "texts.jsonl").read_text().splitlines()
    assert len(answers) > 1 + 2 * N


def test_interrupted_work_goes_on(persons, tmp_path):
    """The writer fails in the middle; what it wrote is kept, a line cut in two is not."""
    asked = []

    def failing(text):
        asked.append(text)
        if len(asked) > 7:
            raise InputError("the endpoint is down")
        return faithful(text)

    with pytest.raises(InputError, match="the endpoint is down"):
        rewritten(persons, failing, tmp_path / "texts.parquet")
    with (tmp_path / "texts.jsonl").open("a") as file:
        file.write('{"person": 3, "text_num')
    again = []
    rewritten(
        persons, lambda text: again.append(text) or faithful(text), tmp_path / "texts.parquet"
    )
    assert len(again) == 2 * N - 7
    assert not set(again) & set(asked[:7])
    rewritten(persons, pytest.fail, tmp_path / "texts.parquet")


def test_a_model_that_never_says_it_all_is_given_up_on(persons, tmp_path):
    with pytest.raises(InputError, match=r"12 texts lacked a fact in all of max_tries=3, such as"):
        rewritten(persons, lambda _: "A life.", tmp_path / "texts.parquet", max_tries=3)
    path = rewritten(persons, faithful, tmp_path / "texts.parquet", max_tries=4)
    assert pq.read_table(path).num_rows == 2 * N


def test_answers_about_others_are_not_taken(persons, tmp_path):
    rewritten(persons, faithful, tmp_path / "texts.parquet")
    with pytest.raises(InputError, match="has texts about other people; take another output"):
        rewritten(persons[:-1], faithful, tmp_path / "texts.parquet")
    (tmp_path / "texts.jsonl").write_text("garbage\n")
    with pytest.raises(InputError, match="holds no answers"):
        rewritten(persons, faithful, tmp_path / "texts.parquet")


class Endpoint(BaseHTTPRequestHandler):
    """Chat completions; ``behaviour`` is a list of what to do next, ``says`` when it is empty."""

    behaviour: list = []  # noqa: RUF012 - set by each test
    requests: list = []  # noqa: RUF012
    says = staticmethod(forgetful)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, body, self.headers.get("Authorization")))
        status, answer, *headers = self.behaviour.pop(0) if self.behaviour else (200, None)
        if answer is None:
            answer = message(type(self).says(body["messages"][0]["content"]))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(answer.encode())

    def log_message(self, *_):
        """Silent."""


def message(content, finish_reason="stop", **more):
    choice = {"message": {"content": content, **more}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice]})


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    Endpoint.behaviour, Endpoint.requests, Endpoint.says = [], [], staticmethod(forgetful)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def writer(address, **values):
    return EndpointWriter(address, model="m", max_tokens=9, temperature=0.5, **values)


def test_an_endpoint_is_asked_as_chat_completions_are(endpoint, persons, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    asked = prompt(persons[0], stream(0, "prompt"))
    ((_, text),) = writer(endpoint)([asked])
    assert persons[0].name in text
    path, body, key = Endpoint.requests[0]
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "m",
        "max_tokens": 9,
        "temperature": 0.5,
        "messages": [{"role": "user", "content": asked}],
    }
    assert key == "Bearer secret"


def test_a_busy_endpoint_is_asked_again(endpoint, persons):
    Endpoint.behaviour[:] = [(503, "busy"), (429, "slow down")]
    ((_, text),) = writer(endpoint, n_retries=3)([prompt(persons[0], stream(0, "prompt"))])
    assert persons[0].name in text
    assert len(Endpoint.requests) == 3


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ([(401, "who are\nyou?")], "answers 401 who are you?"),
        ([(500, "broken")] * 2, "answers 500 broken"),
        ([(200, "<html>")], "answers '<html>', not as chat completions do"),
        ([(200, '{"choices": []}')], "not as chat completions do"),
    ],
)
def test_an_endpoint_that_answers_garbage_is_one_line(endpoint, behaviour, message):
    Endpoint.behaviour[:] = list(behaviour)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        list(writer(endpoint, n_retries=1)(["Tell."]))
    assert "\n" not in str(caught.value)


def test_an_endpoint_that_is_down_is_one_line():
    with pytest.raises(InputError, match="does not answer .*; see that it is up and run again"):
        list(writer("http://127.0.0.1:9/v1", n_retries=0)(["Tell."]))


def rewritten_by(persons, address, path, **values):
    """As many texts as there are people, by the endpoint."""
    return rewrite(persons, writer(address, **values), path, n_texts=1, max_tries=5, seed=0)


def test_answers_are_kept_before_a_refusal_and_only_the_others_asked_for(endpoint, tmp_path):
    people = persons_of(BiorConfig(n_people=16), 0)[1]
    Endpoint.says = staticmethod(faithful)
    Endpoint.behaviour[:] = [(200, None)] * 9 + [(401, "quota used up")] * 7
    with pytest.raises(InputError, match="answers 401 quota used up"):
        rewritten_by(people, endpoint, tmp_path / "texts.parquet")
    assert len((tmp_path / "texts.jsonl").read_text().splitlines()) == 1 + 9
    Endpoint.behaviour.clear(), Endpoint.requests.clear()
    rewritten_by(people, endpoint, tmp_path / "texts.parquet")
    assert len(Endpoint.requests) == 7


def test_requests_are_sent_at_once_and_the_order_of_answers_does_not_show(
    endpoint, persons, tmp_path
):
    """The server answers when three are there, the last one first."""
    arrived, turns = threading.Barrier(3), itertools.count()

    def late(asked):
        arrived.wait(timeout=20)
        time.sleep(0.02 * (next(turns) % 3))
        return faithful(asked)

    Endpoint.says = staticmethod(late)
    at_once = rewritten_by(persons, endpoint, tmp_path / "at_once.parquet", batch_size=3)
    Endpoint.says = staticmethod(faithful)
    in_turn = rewritten_by(persons, endpoint, tmp_path / "in_turn.parquet", batch_size=1)
    assert pq.read_table(at_once).equals(pq.read_table(in_turn))


def test_an_answer_is_kept_while_others_are_waited_for(endpoint, persons, tmp_path):
    """The server does not answer the last request before it has seen the other answers kept."""
    n_asked, n_kept = itertools.count(1), []

    def last_one_waits(asked):
        if next(n_asked) == N:
            until = time.monotonic() + 20
            while len(n_kept) < N - 1 and time.monotonic() < until:
                n_kept[:] = (tmp_path / "texts.jsonl").read_text().splitlines()[1:]
        return faithful(asked)

    Endpoint.says = staticmethod(last_one_waits)
    rewritten_by(persons, endpoint, tmp_path / "texts.parquet", batch_size=N)
    assert len(n_kept) == N - 1


def command(*words):
    """The exit status and what is printed."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["rewrite", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as exited:
        return exited.code, out.getvalue(), err.getvalue()
    finally:
        sys.argv = argv
    return 0, out.getvalue(), err.getvalue()


def test_an_interrupt_ends_at_once_and_loses_nothing(endpoint, tmp_path):
    """Three requests hang, and five answers are kept, when it comes."""
    n_asked, is_over = itertools.count(1), threading.Event()

    def n_kept():
        return len((tmp_path / "texts.jsonl").read_text().splitlines()) - 1

    def hangs(asked):
        if (n := next(n_asked)) > 5:
            if n == 8:
                until = time.monotonic() + 20
                while n_kept() < 5 and time.monotonic() < until:
                    time.sleep(0.01)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            is_over.wait(60)
        return faithful(asked)

    Endpoint.says = staticmethod(hangs)
    words = (
        f"output={tmp_path}/texts.parquet",
        f"endpoint={endpoint}",
        "writer=m",
        "data.n_people=12",
        "batch_size=3",
    )
    # Workers of parallel tests ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    try:
        status, _, errors = command(*words)
    finally:
        signal.signal(signal.SIGINT, before)
        is_over.set()
    assert time.monotonic() - began < 30
    assert status == 130
    assert errors.splitlines()[-1] == (
        "interrupted: what was written is kept; the same command goes on"
    )
    assert n_kept() == 5


@pytest.mark.parametrize(
    "wait",
    ["3600", email.utils.formatdate(time.time() + 3600, usegmt=True)],
    ids=["seconds", "date"],
)
def test_a_long_wait_that_a_server_asks_for_ends_the_attempt_with_its_words(endpoint, wait):
    Endpoint.behaviour[:] = [(429, "quota of the hour used up", ("Retry-After", wait))]
    with pytest.raises(InputError, match=r"quota of the hour used up, .* back in 3\d\d\d s; what"):
        list(writer(endpoint)(["Tell."]))
    assert len(Endpoint.requests) == 1


def test_waits_are_said(endpoint, monkeypatch):
    said = []
    monkeypatch.setattr(endpoints, "_SILENCE", 0.2)
    Endpoint.behaviour[:] = [(503, "busy", ("Retry-After", "0")), (429, "slow down")]
    list(writer(endpoint, say=said.append)(["Tell of Ann B. C."]))
    (line,) = said
    assert re.search(r"answers 429 slow down; asks again in 1 s \(2 of n_retries=5\), Ctrl-C", line)


def test_a_server_that_takes_too_long_is_told_by_the_key_that_waits_longer(endpoint):
    Endpoint.says = staticmethod(lambda _: time.sleep(0.5) or "Late.")
    with pytest.raises(InputError, match=r"answer within timeout=0\.1 s; .* raise timeout"):
        list(writer(endpoint, timeout=0.1, n_retries=0)(["Tell."]))


def test_what_is_sent_can_be_chosen(endpoint):
    more = {"temperature": None, "max_tokens": None, "max_completion_tokens": 50, "top_p": 0.9}
    list(writer(endpoint, request=more)(["Tell of Ann B. C."]))
    sent = {name: value for name, value in Endpoint.requests[0][1].items() if name != "messages"}
    assert sent == {"model": "m", "max_completion_tokens": 50, "top_p": 0.9}


def test_the_word_that_a_server_names_instead_is_used_from_then_on(endpoint):
    refusal = "unsupported parameter max_tokens; it is max_completion_tokens now"
    Endpoint.behaviour[:] = [(400, refusal)]
    texts = list(writer(endpoint, batch_size=1)(["Tell of Ann B. C.", "Tell of Dan E. F."]))
    assert len(texts) == 2
    first, *others = [body for _, body, _ in Endpoint.requests]
    assert first["max_tokens"] == 9
    assert [(b["max_completion_tokens"], "max_tokens" in b) for b in others] == [(9, False)] * 2


def test_a_field_that_a_server_refuses_is_told_with_how_to_leave_it_out(endpoint):
    Endpoint.behaviour[:] = [(400, "no temperature for this model")]
    with pytest.raises(InputError, match=r"no temperature .*\+request\.NAME=null leaves one out"):
        list(writer(endpoint)(["Tell."]))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (message("<think>Let me see.</think>\n\nShe was."), "She was."),
        (message("Let me see.</think> She was."), "She was."),
        (message("<think>Let me", "length"), ""),
        (message("Let me see: she was born", "length"), ""),
        (message(None, "length", reasoning_content="Let me see."), ""),
        (message("She was.", reasoning_content="Let me see."), "She was."),
        (
            message([{"type": "thinking", "thinking": []}, {"type": "text", "text": "She was."}]),
            "She was.",
        ),
    ],
)
def test_thoughts_are_no_part_of_an_endpoints_answer(endpoint, answer, text):
    said = []
    Endpoint.behaviour[:] = [(200, answer)]
    assert [t.strip() for _, t in writer(endpoint, say=said.append)(["Tell."])] == [text]
    assert ["raise max_tokens" in line for line in said] == [True] * (not text)


def test_a_model_that_gives_no_text_at_all_is_told_so(endpoint, persons, tmp_path):
    """Before every text was asked for as often as may be; later attempts have all their tries."""
    Endpoint.behaviour[:] = [(200, message(None, "length"))] * 50
    with pytest.raises(InputError, match="20 answers in a row had no text at all.* max_tokens"):
        rewritten_by(persons, endpoint, tmp_path / "texts.parquet", batch_size=1)
    assert len(Endpoint.requests) <= 22
    Endpoint.behaviour.clear()
    rewritten_by(persons, endpoint, tmp_path / "texts.parquet")


def test_no_file_has_texts_that_were_written_in_two_ways(persons, tmp_path):
    path = tmp_path / "texts.parquet"
    one, other = {"writer": "m", "temperature": 1.0}, {"writer": "m", "temperature": 0.5}
    with pytest.raises(InputError, match="lacked a fact"):
        rewritten(persons, lambda _: "A life.", path, settings=one)
    rewritten(persons, faithful, path, settings=other)  # nothing was right before
    with pytest.raises(InputError, match=r"12 texts written with temperature=0.5, this is temper"):
        rewritten(persons, pytest.fail, path, settings=one)
    rewritten(persons, pytest.fail, path, settings=other)


def test_the_command_writes_a_file_that_bior_reads(endpoint, tmp_path):
    output = tmp_path / "texts.parquet"
    people = ["data.n_people=6", "data.n_texts=2"]
    Endpoint.behaviour[:] = [(200, None)] * 5 + [(401, "expired")] * 7
    words = (f"output={output}", f"endpoint={endpoint}", "writer=m", *people)
    status, _, errors = command(*words)
    assert status == 2
    assert "answers 401 expired" in errors
    assert not output.exists()
    Endpoint.behaviour.clear()
    status, printed, _ = command(*words)
    assert (status, printed.splitlines()[-1]) == (0, f"texts: {output}")
    world = BiorConfig(n_people=6, n_texts=2, source=str(output)).build(0)
    assert len(Endpoint.requests) > 12
    assert world.facts(3)["name"] in world.vocabulary.decode(world.epoch(0, 0, 6).tokens)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, persons):
    """A local checkpoint of a model with random weights, which knows the words of prompts."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("model")
    words = sorted(
        {w for p in persons for w in re.findall(r"\w+|\S", prompt(p, stream(0, "prompt")))}
    )
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_a_local_model_writes_what_transformers_would(folder, persons):
    """Greedily, prompts of many lengths at once as one by one."""
    transformers = pytest.importorskip("transformers")
    prompts = [prompt(p, stream(0, "prompt"))[: 40 * (i + 1)] for i, p in enumerate(persons)]
    writer = LocalWriter(folder, max_tokens=8, temperature=0.0, seed=0, batch_size=4)
    written = [text for _, text in writer(prompts)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    for asked, text in zip(prompts, written, strict=True):
        read = tokenizer(asked, return_tensors="pt")
        alone = model.generate(**read, max_new_tokens=8, do_sample=False)
        expected = tokenizer.decode(alone[0, read["input_ids"].shape[1] :])
        assert text == expected.replace("<eos>", "").strip()


def test_sampling_is_decided_by_the_seed(folder, persons):
    asked = [prompt(persons[0], stream(0, "prompt"))]
    one, other, third = (
        LocalWriter(folder, max_tokens=8, temperature=1.0, seed=s) for s in (1, 1, 2)
    )
    first = list(one(asked))
    assert first == list(other(asked)) != list(third(asked))
    assert list(one(asked)) != first


@pytest.mark.slow
def test_a_local_model_goes_through_the_command_and_keeps_its_answers(folder, tmp_path):
    """Random weights never say it all: the work is given up with what was written kept."""
    output = tmp_path / "texts.parquet"
    status, _, errors = command(
        f"output={output}", f"writer={folder}", "data.n_people=6", "max_tries=2", "max_tokens=5"
    )
    assert status == 2
    assert "6 texts lacked a fact in all of max_tries=2" in errors
    assert len((tmp_path / "texts.jsonl").read_text().splitlines()) == 1 + 12


def test_bad_values_are_refused(tmp_path):
    people = BiorConfig(n_people=N)
    with pytest.raises(ValueError, match=r"output=a.txt; end the name in .parquet"):
        RewriteConfig(output="a.txt", writer="m", data=people)
    with pytest.raises(ValueError, match=r"data.source=b is written already"):
        RewriteConfig(output="a.parquet", writer="m", data=BiorConfig(source="b"))
    with pytest.raises(InputError, match="has no config.json; give the folder of a checkpoint"):
        LocalWriter(tmp_path, max_tokens=8, temperature=0.0, seed=0)
    for words, fault in BAD.items():
        status, _, errors = command(*words.split(), "data.n_people=2")
        assert (status, errors.count("\n")) == (2, 1), errors
        assert fault in errors


BAD = {
    "writer=m endpoint=ftp": "output is missing; write output=FILE.parquet",
    "output=a.parquet writer=m endpoint=ftp": "endpoint=ftp; begin with http://",
    "output=a.parquet writer=m": "m does not exist",
    "output=a.parquet writer=m +request.top_p=1": "is for endpoints; leave it out",
    "output=a.parquet writer=m endpoint=http://a timeout=0": "timeout=0; must be above 0",
    "output=a.parquet writer=m endpoint=http://a timeout=inf": "timeout=inf; must be",
    "output=a.parquet writer=m endpoint=http://a n_retries=-1": "n_retries=-1; must be",
    "output=a.parquet writer=m endpoint=http://a batch_size=100000": "at most 1000 requests",
    "output=a.parquet writer=m endpoint=http://a +request.stream=true": "request.stream",
}
