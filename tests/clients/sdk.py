"""The vendors' Python SDKs, each doing one thing and telling what it saw.

    sdk.py <api> '{"do": "plain", "prompt": "hello", "retries": 2}'

APIs: anthropic, openai-chat, openai-responses, google. Things to do: plain, stream, tool, count, models, embed.
The base URL and the key come from CLIENT_BASE_URL and CLIENT_KEY. What was seen goes to stdout as one JSON
object, the same for every SDK and language; what it ought to be is decided in run.py alone.
"""

import json
import os
import sys

BASE_URL, KEY = os.environ["CLIENT_BASE_URL"], os.environ["CLIENT_KEY"]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def weather(city):
    """The tool every SDK offers."""
    return f"rain in {city}"


class Anthropic:
    model = "claude-demo-1"

    def __init__(self, retries):
        import anthropic

        self.client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=retries, timeout=30)

    def ask(self, messages, **more):
        return self.client.messages.create(model=self.model, max_tokens=1000, messages=messages, **more)

    def seen(self, message):
        text = "".join(block.text for block in message.content if block.type == "text")
        return {"text": text, "input": message.usage.input_tokens, "output": message.usage.output_tokens}

    def plain(self, prompt, saw):
        saw.update(self.seen(self.ask([{"role": "user", "content": prompt}])))

    def stream(self, prompt, saw):
        messages = [{"role": "user", "content": prompt}]
        with self.client.messages.stream(model=self.model, max_tokens=1000, messages=messages) as stream:
            for piece in stream.text_stream:
                saw["text"] += piece
                saw["pieces"] += 1
            saw.update(self.seen(stream.get_final_message()))

    def tool(self, prompt, saw):
        tools = [{"name": "weather", "description": "The weather", "input_schema": CITY}]
        messages = [{"role": "user", "content": prompt}]
        turn = self.ask(messages, tools=tools)
        call = next(block for block in turn.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)}
        messages += [{"role": "assistant", "content": turn.content}, {"role": "user", "content": [result]}]
        saw.update(self.seen(self.ask(messages, tools=tools)))

    def count(self, prompt, saw):
        messages = [{"role": "user", "content": prompt}]
        saw["input"] = self.client.messages.count_tokens(model=self.model, messages=messages).input_tokens

    def models(self, _, saw):
        saw["models"] = [model.id for model in self.client.models.list()]


class OpenAI:
    model = "gpt-demo-1"

    def __init__(self, retries):
        import openai

        self.client = openai.OpenAI(base_url=BASE_URL + "/v1", api_key=KEY, max_retries=retries, timeout=30)

    def models(self, _, saw):
        saw["models"] = [model.id for model in self.client.models.list()]

    def embed(self, prompt, saw):
        answer = self.client.embeddings.create(model=self.model, input=[prompt, "other"])
        saw.update(vectors=[len(item.embedding) for item in answer.data], input=answer.usage.prompt_tokens)


class OpenAIChat(OpenAI):
    def ask(self, messages, **more):
        return self.client.chat.completions.create(model=self.model, messages=messages, **more)

    def plain(self, prompt, saw):
        answer = self.ask([{"role": "user", "content": prompt}])
        saw.update(text=answer.choices[0].message.content)
        saw.update(input=answer.usage.prompt_tokens, output=answer.usage.completion_tokens)

    def stream(self, prompt, saw):
        messages = [{"role": "user", "content": prompt}]
        for chunk in self.ask(messages, stream=True, stream_options={"include_usage": True}):
            if chunk.choices and chunk.choices[0].delta.content:
                saw["text"] += chunk.choices[0].delta.content
                saw["pieces"] += 1
            if chunk.usage:
                saw.update(input=chunk.usage.prompt_tokens, output=chunk.usage.completion_tokens)

    def tool(self, prompt, saw):
        function = {"name": "weather", "description": "The weather", "parameters": CITY}
        tools = [{"type": "function", "function": function}]
        messages = [{"role": "user", "content": prompt}]
        turn = self.ask(messages, tools=tools).choices[0].message
        call = turn.tool_calls[0]
        result = weather(**json.loads(call.function.arguments))
        messages += [turn, {"role": "tool", "tool_call_id": call.id, "content": result}]
        saw["text"] = self.ask(messages, tools=tools).choices[0].message.content


class OpenAIResponses(OpenAI):
    def ask(self, given, **more):
        include = ["reasoning.encrypted_content"]
        return self.client.responses.create(model=self.model, input=given, store=False, include=include, **more)

    def seen(self, answer):
        return {
            "text": answer.output_text,
            "input": answer.usage.input_tokens,
            "output": answer.usage.output_tokens,
        }

    def plain(self, prompt, saw):
        saw.update(self.seen(self.ask(prompt)))

    def stream(self, prompt, saw):
        with self.client.responses.stream(model=self.model, input=prompt) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    saw["text"] += event.delta
                    saw["pieces"] += 1
                elif event.type == "response.failed":
                    raise RuntimeError(f"{event.response.error.code}: {event.response.error.message}")
            saw.update(self.seen(stream.get_final_response()))

    def tool(self, prompt, saw):
        tools = [{"type": "function", "name": "weather", "description": "The weather", "parameters": CITY}]
        given = [{"role": "user", "content": prompt}]
        turn = self.ask(given, tools=tools)
        call = next(item for item in turn.output if item.type == "function_call")
        result = weather(**json.loads(call.arguments))
        given += turn.output
        given.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
        saw.update(self.seen(self.ask(given, tools=tools)))


class Google:
    model = "gemini-demo-1"

    def __init__(self, retries):
        from google import genai
        from google.genai import types

        self.types = types
        options = types.HttpOptions(base_url=BASE_URL, timeout=30_000)
        self.client = genai.Client(api_key=KEY, http_options=options)

    def seen(self, answer):
        usage = answer.usage_metadata
        output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return {"text": answer.text, "input": usage.prompt_token_count, "output": output}

    def plain(self, prompt, saw):
        saw.update(self.seen(self.client.models.generate_content(model=self.model, contents=prompt)))

    def stream(self, prompt, saw):
        text = ""
        for chunk in self.client.models.generate_content_stream(model=self.model, contents=prompt):
            text += chunk.text or ""
            saw.update(self.seen(chunk), text=text, pieces=saw["pieces"] + 1)

    def tool(self, prompt, saw):
        types = self.types
        function = types.FunctionDeclaration(name="weather", description="The weather", parameters_json_schema=CITY)
        config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[function])])
        contents = [types.Content(role="user", parts=[types.Part(text=prompt)])]
        turn = self.client.models.generate_content(model=self.model, contents=contents, config=config)
        call = turn.function_calls[0]
        result = types.FunctionResponse(id=call.id, name=call.name, response={"result": weather(**call.args)})
        contents += [turn.candidates[0].content]
        contents += [types.Content(role="user", parts=[types.Part(function_response=result)])]
        saw.update(self.seen(self.client.models.generate_content(model=self.model, contents=contents, config=config)))

    def count(self, prompt, saw):
        saw["input"] = self.client.models.count_tokens(model=self.model, contents=prompt).total_tokens

    def models(self, _, saw):
        saw["models"] = [model.name.removeprefix("models/") for model in self.client.models.list()]


APIS = {
    "anthropic": Anthropic,
    "openai-chat": OpenAIChat,
    "openai-responses": OpenAIResponses,
    "google": Google,
}


def error_of(error):
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {
        "class": type(error).__name__,
        "status": status if isinstance(status, int) else None,
        "message": str(error),
        "retry_after": headers.get("retry-after"),
    }


def main():
    api, order = sys.argv[1], json.loads(sys.argv[2])
    saw = {"text": "", "pieces": 0}
    try:
        getattr(APIS[api](order["retries"]), order["do"])(order["prompt"], saw)
    except Exception as error:  # Whatever it is, it is what was seen.
        saw["error"] = error_of(error)
    print(json.dumps(saw))


main()
