"""What every client is asked, and what it ought to see.

`{n}` in a prompt is a nonce; the directives are those of the scripted upstream. Where a gateway that fails
over may rightly answer better or otherwise than a single vendor, `gateway` says what else is right.
"""

from dataclasses import dataclass, field

SDKS = ("anthropic", "openai-chat", "openai-responses", "google")
CLIS = ("claude-code", "codex", "gemini-cli")

# The path that the upstream is to see, per client.
PATHS = {
    "anthropic": "/v1/messages",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "google": "/v1/models/gemini-demo-1:generateContent",
    "claude-code": "/v1/messages?beta=true",
    "codex": "/v1/responses",
    "gemini-cli": "/v1beta/models/gemini-demo-1:streamGenerateContent?alt=sse",
    "gemini-cli-auto": ":generateContent",
}

OVERFLOW = {
    "anthropic": "prompt is too long",
    "openai-chat": "maximum context length",
    "openai-responses": "context window",
    "google": "exceeds the maximum number of tokens",
    "claude-code": "too long",
    "codex": "ran out of room in the model's context window",
    "gemini-cli": "exceeds the maximum number of tokens",
}


@dataclass
class Case:
    """One thing asked of one client."""

    client: str
    name: str
    prompt: str
    do: str = "plain"
    text: str | None = None  # the answer holds this
    error: tuple = ()  # one of these statuses is raised; 0 stands for any error
    says: str | None = None  # the error, or the client's whole output, holds this
    tokens: tuple | None = None  # input and output
    expected: dict = field(default_factory=dict)  # other members of what an SDK saw
    gateway: dict = field(default_factory=dict)  # what else is right behind a gateway
    retries: int | None = 0
    wrong_key: bool = False
    harmful: bool = False  # providers may be held back after it
    seconds_at_least: float = 0
    turn: bool = True  # makes a row with usage, at the expected path
    seconds_at_most: float = 60


def sdk_cases(api):
    google = api == "google"
    events = "".join(f"nonce-{{n}}:{i} " for i in range(1, 201))
    yield Case(api, "plain", "nonce-{n} hello", text="echo: nonce-{n} hello", tokens=(2, 3))
    yield Case(
        api, "streamed", "[[events 200]] [[usage input=30 output=200]] nonce-{n}", do="stream",
        text=events, tokens=(30, 200), expected={"pieces": 200},
    )
    yield Case(
        api, "tool", "[[tool]] [[think]] nonce-{n}", do="tool", text="rain in nonce-{n}",
    )
    yield Case(
        api, "wrong key", "nonce-{n}", error=(400, 401) if google else (401,), wrong_key=True, turn=False,
        retries=2, seconds_at_most=15,
    )
    yield Case(api, "overflow", "[[overflow]] nonce-{n}", error=(400,), says=OVERFLOW[api])
    yield Case(
        api, "429 once", "[[error 429 retry-after=1 times=1]] nonce-{n}",
        # Google's SDK does not repeat by itself.
        **({"error": (429,)} if google else {"text": "nonce-{n}", "seconds_at_least": 0.9, "retries": 2}),
        gateway={"text": "nonce-{n}", "seconds_at_least": 0, "error": (429,) if google else ()}, harmful=True,
    )
    yield Case(
        api, "429 for good", "[[error 429 retry-after=1]] nonce-{n}", error=(429,),
        expected={} if google else {"retry_after": "1"},
        gateway={"error": (429, 503, 529), "expected": {}}, harmful=True,
    )
    yield Case(
        api, "529", "[[error 529]] nonce-{n}", error=(529,), gateway={"error": (503, 529)}, harmful=True,
    )
    yield Case(
        api, "error in stream", "[[events 20]] [[error-in-stream 9]] nonce-{n}", do="stream", error=(0,),
        expected={"pieces_at_most": 9}, harmful=True,
    )
    yield Case(
        api, "cut stream", "[[events 20]] [[cut 9]] nonce-{n}", do="stream", error=(0,),
        expected={"pieces_at_most": 9}, harmful=True,
    )
    if api in ("anthropic", "google"):
        yield Case(api, "count tokens", "one two nonce-{n}", do="count", expected={"input": 3}, turn=False)
    if api != "openai-responses":
        yield Case(api, "models", "", do="models", expected={"some_models": True}, turn=False)
    if api == "openai-chat":
        yield Case(
            api, "embeddings", "nonce-{n} two", do="embed", expected={"vectors": [8, 8], "input": 3}, turn=False,
        )


def cli_cases(cli):
    yield Case(cli, "plain", "hello nonce-{n}", text="echo: hello nonce-{n}")
    yield Case(cli, "tool", "[[tool]] nonce-{n}", do="tool", text="pointsman-tool-ran")
    # Through a gateway with the client's own patience: a refusal that waiting cannot cure must not be waited on.
    yield Case(
        cli, "wrong key", "nonce-{n}", error=(0,), wrong_key=True, turn=False,
        # Claude Code makes this of any message that mentions `x-api-key`, as the vendor's does.
        says="run /login" if cli == "claude-code" else "key",
        gateway={"retries": None, "seconds_at_most": 30, "says": "key"},
    )
    yield Case(cli, "overflow", "[[overflow]] nonce-{n}", error=(0,), says=OVERFLOW[cli])
    yield Case(
        cli, "429 once", "[[error 429 retry-after=1 times=1]] nonce-{n}", text="nonce-{n}", retries=2, harmful=True,
        seconds_at_least=0.9, gateway={"seconds_at_least": 0},
    )
    yield Case(cli, "529", "[[error 529]] nonce-{n}", error=(0,), retries=1, harmful=True)
    if cli == "claude-code":
        # It repeats the turn as a plain request at once, which succeeds.
        yield Case(
            cli, "error in stream", "[[error-in-stream 3]] nonce-{n}", text="echo: nonce-{n}", retries=1, harmful=True,
        )
    if cli == "gemini-cli":
        yield Case("gemini-cli-auto", "plain", "hello nonce-{n}", text="echo: hello nonce-{n}")


def all_cases():
    """Every case with the program that runs it: python, node or cli."""
    for runtime in ("python", "node"):
        for api in SDKS:
            for case in sdk_cases(api):
                yield runtime, case
    for cli in CLIS:
        for case in cli_cases(cli):
            yield "cli", case
