"""Chat completions of a server: what is sent, how often, and how a refusal is told."""

import email.utils
import re
import time

import pytest

from physlm.data.texts.rewriting import prompt
from physlm.errors import InputError
from physlm.models import endpoint as endpoints
from physlm.rng import stream
from tests.chat_server import Endpoint, message, writer


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


def test_only_as_many_answers_as_requests_wait_for_one_who_is_slow(endpoint):
    asked = writer(endpoint, batch_size=2)
    Endpoint.says = staticmethod(str.upper)
    answers = asked(f"prompt {i}" for i in range(30))
    found = [next(answers)]
    time.sleep(1)
    assert len(Endpoint.requests) == 4
    found += answers
    assert sorted(found) == [(i, f"PROMPT {i}") for i in range(30)]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ([(401, "who are\nyou?")], "answers 401 who are you?"),
        ([(500, "broken")] * 2, "answers 500 broken"),
        ([(200, "<html>")] * 2, "answers '<html>', which is not a chat completion"),
        ([(200, '{"choices": []}')] * 2, "which is not a chat completion"),
    ],
)
def test_an_endpoint_that_answers_garbage_is_one_line(endpoint, behaviour, message):
    Endpoint.behaviour[:] = list(behaviour)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        list(writer(endpoint, n_retries=1)(["Tell."]))
    assert "\n" not in str(caught.value)


def test_garbage_costs_a_retry(endpoint, persons):
    Endpoint.behaviour[:] = [(200, "<html>"), (200, "{"), (200, '{"choices": []}')]
    ((_, text),) = writer(endpoint, n_retries=3)([prompt(persons[0], stream(0, "prompt"))])
    assert persons[0].name in text
    assert len(Endpoint.requests) == 4


def test_an_endpoint_that_is_down_is_one_line():
    with pytest.raises(InputError, match="does not answer .*; check that it is up and run again"):
        list(writer("http://127.0.0.1:9/v1", n_retries=0)(["Tell."]))


@pytest.mark.parametrize(
    "wait",
    ["3600", email.utils.formatdate(time.time() + 3600, usegmt=True)],
    ids=["seconds", "date"],
)
def test_a_long_wait_that_a_server_asks_for_ends_the_attempt_with_its_words(endpoint, wait):
    Endpoint.behaviour[:] = [(429, "quota of the hour used up", ("Retry-After", wait))]
    with pytest.raises(
        InputError, match=r"quota of the hour used up, .* back in 3\d\d\d s; run again"
    ):
        list(writer(endpoint)(["Tell."]))
    assert len(Endpoint.requests) == 1


def test_waits_are_said(endpoint, monkeypatch):
    said = []
    monkeypatch.setattr(endpoints, "_SILENCE", 0.2)
    Endpoint.behaviour[:] = [(503, "busy", ("Retry-After", "0")), (429, "slow down")]
    list(writer(endpoint, say=said.append)(["Tell of Ann B. C."]))
    (line,) = said
    assert re.search(r"answers 429 slow down; retries in 1 s \(2 of n_retries=5\), Ctrl-C", line)


def test_a_server_that_asks_for_fewer_requests_gets_none_for_a_while(endpoint):
    began, answered = time.monotonic(), []
    Endpoint.says = staticmethod(lambda _: answered.append(time.monotonic()) or "Late.")
    Endpoint.behaviour[:] = [(429, "slow down", ("Retry-After", "1"))]
    assert len(list(writer(endpoint, batch_size=3)(["Tell."] * 30))) == len(answered) == 30
    # Few that were under way come at once, the others a second after the first try.
    assert sum(moment < began + 1 for moment in answered) < 10


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
