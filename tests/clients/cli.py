"""How the command-line clients are started: unattended, in a home of their own, talking to one base URL.

Each function writes what its client reads from its home and returns its command line and environment.
`tools` says whether the client may run a command; `retries` bounds its own repeats (None: its default).
"""

import json


def claude(home, base_url, key, prompt, tools, retries):
    """Claude Code: POST /v1/messages?beta=true, always streamed, plain after an error in the stream."""
    environment = {
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
    }
    if retries is not None:
        environment["CLAUDE_CODE_MAX_RETRIES"] = str(retries)
    allowed = ["--allowedTools", "Bash"] if tools else []
    return ["claude", "-p", "--model", "claude-demo-1", *allowed, "--", prompt], environment


def codex(home, base_url, key, prompt, tools, retries):
    """Codex: POST /v1/responses, always streamed."""
    settings = [
        'model = "gpt-demo-1"',
        'model_provider = "tested"',
        'approval_policy = "never"',
        # The only command ever asked for is an echo, and sandboxes are not to be had everywhere.
        'sandbox_mode = "danger-full-access"',
        "check_for_update_on_startup = false",
        "[analytics]",
        "enabled = false",
        "[feedback]",
        "enabled = false",
        # What would fetch from the vendor at start.
        "[features]",
        "apps = false",
        "plugins = false",
        "[model_providers.tested]",
        'name = "Tested"',
        f'base_url = "{base_url}/v1"',
        'env_key = "CLIENT_KEY"',
        'wire_api = "responses"',
    ]
    if retries is not None:
        settings += [f"request_max_retries = {retries}", f"stream_max_retries = {retries}"]
    folder = home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text("\n".join(settings) + "\n")
    return ["codex", "exec", "--skip-git-repo-check", prompt], {"CLIENT_KEY": key}


def gemini(home, base_url, key, prompt, tools, retries, model="gemini-demo-1"):
    """Gemini CLI: POST /v1beta/models/{model}:streamGenerateContent?alt=sse; without a model of ours it
    first asks generateContent which one to take."""
    general = {"disableAutoUpdate": True, "disableUpdateNag": True, "enableAutoUpdate": False}
    if retries is not None:
        general["maxAttempts"] = retries + 1
    settings = {
        "general": general,
        "privacy": {"usageStatisticsEnabled": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "telemetry": {"enabled": False},
    }
    folder = home / ".gemini"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings))
    environment = {
        "GOOGLE_GEMINI_BASE_URL": base_url,
        "GEMINI_API_KEY": key,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    chosen = ["-m", model] if model else []
    return ["gemini", *chosen, *(["-y"] if tools else []), "-p", prompt], environment


def gemini_routed(*arguments):
    """Gemini CLI left to choose its model."""
    return gemini(*arguments, model=None)


CLIENTS = {"claude-code": claude, "codex": codex, "gemini-cli": gemini, "gemini-cli-auto": gemini_routed}
