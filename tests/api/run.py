"""Holds a running Pointsman against its own description, asked by everybody who may ask anything.

    run.py --schemathesis PROGRAM --scratch DIR --token TOKEN --url URL --url URL

Of the two servers, both empty, the first is for the admin, who removes what the others are known by; the second for
everybody else. Both are filled alike first. What is asked is the same in each run: the seed is fixed.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
SEED = "20260714"

# Who asks, with what role (none: the admin token), whether with console rights, the most that one may, and how
# many cases are made up for each operation on top of those that cover each schema.
Asker = collections.namedtuple("Asker", "name role web_login right examples")
ADMIN = [Asker("admin", None, True, "admin", 12)]
OTHERS = [
    Asker("operator", "operator", True, "operate", 3),
    Asker("auditor", "auditor", True, "read", 3),
    Asker("user", "user", True, "own", 3),
    Asker("key", "admin", False, "own", 3),
    Asker("nobody", None, False, "public", 3),
]


class House:
    """A server, and what was put into it."""

    def __init__(self, url, token):
        self.url, self.token, self.keys = url, token, {}

    def make(self, path, body):
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {self.token}"},
            method="PUT" if path.startswith("/prices") else "POST",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return json.loads(answer.read())

    def fill(self):
        """The first eight ids name something of each kind, so that what is asked for is there."""
        for at in range(8):
            provider = {"name": f"provider {at}", "kind": "claude", "base_url": "https://example.com"}
            self.make("/providers", {**provider, "credential": "not-a-real-credential"})
        users = [self.make("/users", {"name": asker.name, "role": asker.role or "user"}) for asker in OTHERS]
        for at in range(3):
            users.append(self.make("/users", {"name": f"user {at}"}))
        for user in users:
            self.make(f"/users/{user['id']}/keys", {"name": "another"})
        # Behind those ids, so that whoever asks does not turn off the own key.
        for asker, user in zip(OTHERS, users):
            key = {"name": asker.name, "web_login": asker.web_login}
            self.keys[asker.name] = self.make(f"/users/{user['id']}/keys", key)
        self.make("/prices/some-model", {"input_usd_per_mtok": "3", "output_usd_per_mtok": "15"})


def ask(house, asker, arguments):
    """Runs schemathesis as one of them; its output and whether all was well."""
    key = house.keys.get(asker.name, {})
    known = {"PATH": os.environ["PATH"], "HOME": arguments.scratch, "PYTHONDONTWRITEBYTECODE": "1", "POINTSMAN_RIGHT": asker.right}
    config = (HERE / "schemathesis.toml").read_text()
    if asker.name == "nobody":
        config = config.replace("[auth.openapi.bearer]\nbearer = \"${POINTSMAN_TOKEN}\"\n", "")
    else:
        known["POINTSMAN_TOKEN"] = house.token if asker.name == "admin" else key["key"]
        known["POINTSMAN_OWN_KEY"] = str(key.get("id"))
    if asker.name == "key":
        known["POINTSMAN_READ_ONLY"] = "1"
    place = pathlib.Path(arguments.scratch, asker.name)
    place.mkdir()
    (place / "schemathesis.toml").write_text(config.replace("hooks.py", str(HERE / "hooks.py")))
    command = [arguments.schemathesis, "--config-file", "schemathesis.toml", "run", f"{house.url}/api/openapi.json"]
    command += ["--seed", SEED, "--max-examples", str(asker.examples), "--no-color"]
    began = time.monotonic()
    ran = subprocess.run(command, cwd=place, env=known, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return asker.name, ran.returncode, ran.stdout, time.monotonic() - began


def lane(house, askers, arguments):
    house.fill()
    return [ask(house, asker, arguments) for asker in askers]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schemathesis", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--url", action="append", required=True)
    arguments = parser.parse_args()
    first, second = (House(url, arguments.token) for url in arguments.url)
    with concurrent.futures.ThreadPoolExecutor() as lanes:
        both = [lanes.submit(lane, first, ADMIN, arguments), lanes.submit(lane, second, OTHERS, arguments)]
        runs = [run for ran in both for run in ran.result()]
    bad = [run for run in runs if run[1] != 0]
    for name, code, told, _ in bad:
        print(f"\n{'=' * 20} {name}: exit {code}\n{told}")
    asked = 0
    for name, code, told, took in runs:
        found = re.search(r"^\s*(\d+) generated", told, re.MULTILINE)
        cases = int(found[1]) if found else 0
        asked += cases
        print(f"{name:10} {'ok' if code == 0 else 'FAILED':8} {cases:6} cases {took:5.0f} s")
        if not cases:
            bad.append((name, code, told, took))
    print(f"{asked} cases, {len(runs)} askers, {len(bad)} failed")
    sys.exit(1 if bad else 0)


main()
