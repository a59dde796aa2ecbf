"""Runs every client through one base URL and tells what did not go as it should.

    run.py --modules DIR --base-url URL --key KEY [--upstream URL]… [--admin-url URL --admin-token TOKEN] [--only WORDS]
    run.py --modules DIR --demo JSON [--only WORDS]      with all of these as the demo prints them

With an admin URL the far side is a gateway: rows of requests are checked, and providers are set right between
cases. With an upstream URL its log is checked: the path that arrived, and that no key of ours arrived with it.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import cases
import cli
from outgoing import Outgoing

HERE = pathlib.Path(__file__).parent


def fetch(url, method="GET", body=None, headers=None):
    """Status and JSON of a loopback answer; no proxy is asked."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None


class Far:
    """The far side: a scripted upstream, or a gateway before it."""

    def __init__(self, arguments):
        self.base_url = arguments.base_url.rstrip("/")
        self.key = arguments.key
        upstreams = [arguments.upstream] if isinstance(arguments.upstream, str) else arguments.upstream
        self.upstreams = [url.rstrip("/") for url in upstreams]
        self.admin_url = (arguments.admin_url or "").rstrip("/").removesuffix("/api/v1")
        self.admin = {"authorization": f"Bearer {arguments.admin_token}"}

    @property
    def is_gateway(self):
        return bool(self.admin_url)

    def rows(self):
        """The newest rows of requests, by id."""
        status, page = fetch(f"{self.admin_url}/api/v1/requests?limit=100", headers=self.admin)
        if status != 200:
            raise RuntimeError(f"GET /api/v1/requests answered {status}")
        return {row["id"]: row for row in page["items"]}

    def received(self, nonce):
        """What the upstreams received with that nonce."""
        logs = [fetch(f"{url}/_script/log")[1]["items"] for url in self.upstreams]
        return [entry for log in logs for entry in log if nonce in entry["prompt"]]

    def open_requests(self):
        return sum(fetch(f"{url}/_script/open")[1]["open"] for url in self.upstreams)

    def set_right(self):
        """Closes every breaker, then waits until each API answers again."""
        if not self.is_gateway:
            return
        _, page = fetch(f"{self.admin_url}/api/v1/providers", headers=self.admin)
        for provider in page["items"]:
            url = f"{self.admin_url}/api/v1/providers/{provider['id']}/breaker"
            fetch(url, "POST", {"state": "closed"}, self.admin)
        turn = [{"role": "user", "content": "ready?"}]
        probes = {
            "/v1/messages": {"model": "claude-demo-1", "max_tokens": 9, "messages": turn},
            "/v1/chat/completions": {"model": "gpt-demo-1", "messages": turn},
            "/v1/responses": {"model": "gpt-demo-1", "input": "ready?"},
            "/v1beta/models/gemini-demo-1:generateContent": {"contents": [{"role": "user", "parts": [{"text": "ready?"}]}]},
        }
        headers = {"authorization": f"Bearer {self.key}", "anthropic-version": "2023-06-01"}
        deadline = time.monotonic() + 30
        for path, body in probes.items():
            while fetch(self.base_url + path, "POST", body, headers)[0] != 200:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{path} does not answer again after 30 s")
                time.sleep(0.2)


class Runner:
    """Starts clients, each with a home of its own and no way out but loopback."""

    def __init__(self, far, modules, outgoing):
        self.far = far
        self.modules = pathlib.Path(modules).absolute()
        self.environment = {
            "PATH": f"{self.modules}/node_modules/.bin:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            # Whatever wants out meets a proxy that notes it and lets nothing through.
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), outgoing.url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
        }

    def run(self, runtime, case, prompt):
        """What the client saw, in the words of sdk.py, and how long it took."""
        key = "sk-wrong-key-0000000000" if case.wrong_key else self.far.key
        home = pathlib.Path(tempfile.mkdtemp(prefix="pointsman-client."))
        (home / "work").mkdir()
        try:
            if runtime == "cli":
                start = cli.CLIENTS[case.client]
                command, more = start(home, self.far.base_url, key, prompt, case.do == "tool", case.retries)
            else:
                program = [sys.executable, HERE / "sdk.py"] if runtime == "python" else ["node", HERE / "sdk.mjs"]
                order = {"do": case.do, "prompt": prompt, "retries": case.retries}
                command = [*program, case.client, json.dumps(order)]
                more = {"CLIENT_BASE_URL": self.far.base_url, "CLIENT_KEY": key, "CLIENT_MODULES": str(self.modules)}
            began = time.monotonic()
            code, out, err = self.finish(command, home, {**self.environment, "HOME": str(home), **more}, case)
            seconds = time.monotonic() - began
        finally:
            shutil.rmtree(home, ignore_errors=True)
        if code is None:
            return {"error": {"class": "Timeout", "status": None, "message": f"{out}{err}"}}, seconds
        if runtime != "cli":
            return (json.loads(out) if code == 0 else {"error": {"class": "Crash", "message": err}}), seconds
        saw = {"text": out}
        if code != 0:
            saw["error"] = {"class": f"exit {code}", "status": None, "message": out + err}
        return saw, seconds

    def finish(self, command, home, environment, case):
        """Exit code, stdout and stderr; no code when it took too long, and then it is killed with its children."""
        process = subprocess.Popen(
            command, cwd=home / "work", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=case.seconds_at_most)
            return process.returncode, out, err
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            return None, out, err


def faults_of_answer(case, saw, seconds, nonce):
    """What is wrong with what the client saw."""
    error = saw.get("error")
    if error and not case.error:
        yield f"raised {error['class']} {error.get('status')}: {error['message'][-300:]}"
        return
    if not error and case.error and case.text is None:
        yield f"raised nothing, saw {saw['text'][:200]!r}"
        return
    if error:
        if error["class"] in ("Timeout", "Crash"):
            yield f"{error['class']}: {error['message'][-300:]}"
        if 0 not in case.error and error["status"] not in case.error:
            yield f"raised status {error['status']}, not {case.error}: {error['message'][:200]}"
        if case.says and case.says.lower() not in error["message"].lower():
            yield f"the error does not say {case.says!r}: {error['message'][-300:]}"
    elif case.text is not None and case.text.format(n=nonce) not in saw["text"]:
        yield f"the answer lacks {case.text.format(n=nonce)[:60]!r}: {saw['text'][:200]!r}"
    if case.tokens and (saw.get("input"), saw.get("output")) != case.tokens:
        yield f"saw {saw.get('input')} and {saw.get('output')} tokens, not {case.tokens}"
    if not case.seconds_at_least <= seconds:
        yield f"took {seconds:.1f} s only: retry-after was not waited for"
    for member, value in case.expected.items():
        if member == "pieces_at_most":
            if not 0 < saw["pieces"] <= value:
                yield f"{saw['pieces']} pieces came before the end"
        elif member == "some_models":
            if not saw.get("models"):
                yield "no models were listed"
        elif member == "pieces":
            # Google closes with an empty piece.
            if saw["pieces"] not in (value, value + 1):
                yield f"{saw['pieces']} pieces, not {value}"
        elif (saw if member in saw else error or {}).get(member) != value:
            yield f"{member} is {(saw if member in saw else error or {}).get(member)!r}, not {value!r}"


def faults_of_passage(far, case, nonce):
    """What is wrong with what the upstreams received."""
    if not far.upstreams or not case.turn:
        return
    entries = far.received(nonce)
    path = cases.PATHS[case.client]
    if case.client == "google" and case.do == "stream":
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    if not any(entry["path"].endswith(path) for entry in entries):
        yield f"the upstream saw {sorted({entry['path'] for entry in entries})}, not {path}"
    if far.is_gateway and any(f"…{far.key[-4:]}" in value for entry in entries for _, value in entry["headers"]):
        yield "a key of ours reached the upstream"


def faults_of_rows(far, case, before):
    """What is wrong with the rows that the requests left."""
    if not far.is_gateway or not case.turn:
        return
    deadline = time.monotonic() + 5
    while not (new := [row for id, row in far.rows().items() if id not in before]):
        if time.monotonic() > deadline:
            yield "no row was left"
            return
        time.sleep(0.05)
    if case.tokens:
        counts = [{**row, **(row.get("usage") or {})} for row in new]
        if not any((count.get("input_tokens"), count.get("output_tokens")) == case.tokens for count in counts):
            yield f"no new row has {case.tokens} tokens"


def run_case(far, runner, runtime, case):
    """Runs one case and returns its faults and its duration."""
    if far.is_gateway:
        for name, value in case.gateway.items():
            setattr(case, name, value)
    nonce = uuid.uuid4().hex[:12]
    before = far.rows() if far.is_gateway else {}
    saw, seconds = runner.run(runtime, case, case.prompt.format(n=nonce))
    faults = list(faults_of_answer(case, saw, seconds, nonce))
    faults += faults_of_passage(far, case, nonce)
    faults += faults_of_rows(far, case, before)
    if case.harmful:
        far.set_right()
    return faults, seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--modules", required=True)
    parser.add_argument("--demo", type=json.loads, help="what follows POINTSMAN_DEMO")
    parser.add_argument("--base-url")
    parser.add_argument("--key")
    parser.add_argument("--upstream", action="append", default=[])
    parser.add_argument("--admin-url")
    parser.add_argument("--admin-token")
    parser.add_argument("--only", default="", help="cases whose runtime, client and name hold all these words")
    arguments = parser.parse_args()
    if arguments.demo:
        vars(arguments).update(arguments.demo)
    if not arguments.base_url or not arguments.key:
        parser.error("--base-url and --key, or --demo, must be given")
    far = Far(arguments)
    passed = failed = 0
    with Outgoing() as outgoing:
        runner = Runner(far, arguments.modules, outgoing)
        for runtime, case in cases.all_cases():
            title = f"{runtime:6} {case.client:16} {case.name}"
            if not all(word in title for word in arguments.only.split()):
                continue
            try:
                faults, seconds = run_case(far, runner, runtime, case)
            except Exception as error:  # One case must not hide the others.
                faults, seconds = [f"{type(error).__name__}: {error}"], 0
            passed, failed = passed + (not faults), failed + bool(faults)
            print(f"{'FAIL' if faults else 'ok':4} {title:42} {seconds:5.1f} s", flush=True)
            for fault in faults:
                print(f"       {fault}", flush=True)
    if far.upstreams and (left := far.open_requests()):
        failed += 1
        print(f"FAIL {left} requests are still open at the upstream")
    for target, count in sorted(outgoing.wanted.items()):
        print(f"note a client wanted out, and was not let: {target} ({count} times)")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
