// The vendors' Node SDKs, each doing one thing and telling what it saw. The twin of sdk.py:
//
//     node sdk.mjs <api> '{"do": "plain", "prompt": "hello", "retries": 2}'
//
// CLIENT_MODULES names the folder whose node_modules hold the SDKs.

import { createRequire } from "node:module";

const { CLIENT_BASE_URL: baseURL, CLIENT_KEY: apiKey, CLIENT_MODULES: modules } = process.env;
const load = createRequire(`${modules}/`);
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const timeout = 30_000;

/** The tool every SDK offers. */
const weather = ({ city }) => `rain in ${city}`;

class Anthropic {
  model = "claude-demo-1";

  constructor(maxRetries) {
    const { Anthropic } = load("@anthropic-ai/sdk");
    this.client = new Anthropic({ baseURL, apiKey, maxRetries, timeout });
  }

  ask(messages, more) {
    return this.client.messages.create({ model: this.model, max_tokens: 1000, messages, ...more });
  }

  seen({ content, usage }) {
    const text = content.map((block) => block.text ?? "").join("");
    return { text, input: usage.input_tokens, output: usage.output_tokens };
  }

  async plain(prompt, saw) {
    Object.assign(saw, this.seen(await this.ask([{ role: "user", content: prompt }])));
  }

  async stream(prompt, saw) {
    const messages = [{ role: "user", content: prompt }];
    const stream = this.client.messages.stream({ model: this.model, max_tokens: 1000, messages });
    stream.on("text", (piece) => {
      saw.text += piece;
      saw.pieces += 1;
    });
    Object.assign(saw, this.seen(await stream.finalMessage()));
  }

  async tool(prompt, saw) {
    const tools = [{ name: "weather", description: "The weather", input_schema: city }];
    const messages = [{ role: "user", content: prompt }];
    const turn = await this.ask(messages, { tools });
    const call = turn.content.find((block) => block.type === "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: weather(call.input) };
    messages.push({ role: "assistant", content: turn.content }, { role: "user", content: [result] });
    Object.assign(saw, this.seen(await this.ask(messages, { tools })));
  }

  async count(prompt, saw) {
    const messages = [{ role: "user", content: prompt }];
    saw.input = (await this.client.messages.countTokens({ model: this.model, messages })).input_tokens;
  }

  async models(_, saw) {
    saw.models = [];
    for await (const model of this.client.models.list()) saw.models.push(model.id);
  }
}

class OpenAI {
  model = "gpt-demo-1";

  constructor(maxRetries) {
    const { OpenAI } = load("openai");
    this.client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey, maxRetries, timeout });
  }

  async models(_, saw) {
    saw.models = [];
    for await (const model of this.client.models.list()) saw.models.push(model.id);
  }

  async embed(prompt, saw) {
    const { data, usage } = await this.client.embeddings.create({ model: this.model, input: [prompt, "other"] });
    Object.assign(saw, { vectors: data.map((item) => item.embedding.length), input: usage.prompt_tokens });
  }
}

class OpenAIChat extends OpenAI {
  ask(messages, more) {
    return this.client.chat.completions.create({ model: this.model, messages, ...more });
  }

  async plain(prompt, saw) {
    const { choices, usage } = await this.ask([{ role: "user", content: prompt }]);
    const { prompt_tokens: input, completion_tokens: output } = usage;
    Object.assign(saw, { text: choices[0].message.content, input, output });
  }

  async stream(prompt, saw) {
    const more = { stream: true, stream_options: { include_usage: true } };
    for await (const { choices, usage } of await this.ask([{ role: "user", content: prompt }], more)) {
      const piece = choices[0]?.delta.content;
      if (piece) {
        saw.text += piece;
        saw.pieces += 1;
      }
      if (usage) Object.assign(saw, { input: usage.prompt_tokens, output: usage.completion_tokens });
    }
  }

  async tool(prompt, saw) {
    const definition = { name: "weather", description: "The weather", parameters: city };
    const tools = [{ type: "function", function: definition }];
    const messages = [{ role: "user", content: prompt }];
    const turn = (await this.ask(messages, { tools })).choices[0].message;
    const [call] = turn.tool_calls;
    const content = weather(JSON.parse(call.function.arguments));
    messages.push(turn, { role: "tool", tool_call_id: call.id, content });
    saw.text = (await this.ask(messages, { tools })).choices[0].message.content;
  }
}

class OpenAIResponses extends OpenAI {
  ask(input, more) {
    const include = ["reasoning.encrypted_content"];
    return this.client.responses.create({ model: this.model, input, store: false, include, ...more });
  }

  seen({ output_text: text, usage }) {
    return { text, input: usage.input_tokens, output: usage.output_tokens };
  }

  async plain(prompt, saw) {
    Object.assign(saw, this.seen(await this.ask(prompt)));
  }

  async stream(prompt, saw) {
    const stream = this.client.responses.stream({ model: this.model, input: prompt });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") {
        saw.text += event.delta;
        saw.pieces += 1;
      } else if (event.type === "response.failed") {
        const { code, message } = event.response.error;
        throw new Error(`${code}: ${message}`);
      }
    }
    Object.assign(saw, this.seen(await stream.finalResponse()));
  }

  async tool(prompt, saw) {
    const tools = [{ type: "function", name: "weather", description: "The weather", parameters: city }];
    const input = [{ role: "user", content: prompt }];
    const { output } = await this.ask(input, { tools });
    const call = output.find((item) => item.type === "function_call");
    const result = weather(JSON.parse(call.arguments));
    input.push(...output, { type: "function_call_output", call_id: call.call_id, output: result });
    Object.assign(saw, this.seen(await this.ask(input, { tools })));
  }
}

class Google {
  model = "gemini-demo-1";

  constructor() {
    const { GoogleGenAI } = load("@google/genai");
    this.models_ = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: baseURL, timeout } }).models;
  }

  seen({ text, usageMetadata: usage }) {
    const output = (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0);
    return { text, input: usage.promptTokenCount, output };
  }

  ask(contents, config) {
    return this.models_.generateContent({ model: this.model, contents, config });
  }

  async plain(prompt, saw) {
    Object.assign(saw, this.seen(await this.ask(prompt)));
  }

  async stream(prompt, saw) {
    let text = "";
    for await (const chunk of await this.models_.generateContentStream({ model: this.model, contents: prompt })) {
      text += chunk.text ?? "";
      Object.assign(saw, this.seen(chunk), { text, pieces: saw.pieces + 1 });
    }
  }

  async tool(prompt, saw) {
    const definition = { name: "weather", description: "The weather", parametersJsonSchema: city };
    const config = { tools: [{ functionDeclarations: [definition] }] };
    const contents = [{ role: "user", parts: [{ text: prompt }] }];
    const turn = await this.ask(contents, config);
    const { id, name, args } = turn.functionCalls[0];
    const functionResponse = { id, name, response: { result: weather(args) } };
    contents.push(turn.candidates[0].content, { role: "user", parts: [{ functionResponse }] });
    Object.assign(saw, this.seen(await this.ask(contents, config)));
  }

  async count(prompt, saw) {
    saw.input = (await this.models_.countTokens({ model: this.model, contents: prompt })).totalTokens;
  }

  async models(_, saw) {
    saw.models = [];
    for await (const model of await this.models_.list()) saw.models.push(model.name.replace("models/", ""));
  }
}

const apis = { anthropic: Anthropic, "openai-chat": OpenAIChat, "openai-responses": OpenAIResponses, google: Google };

const [, , api, order] = process.argv;
const { do: thing, prompt, retries } = JSON.parse(order);
const saw = { text: "", pieces: 0 };
try {
  await new apis[api](retries)[thing](prompt, saw);
} catch (error) {
  // Whatever it is, it is what was seen.
  saw.error = {
    class: error.constructor.name,
    status: error.status ?? null,
    message: String(error.message),
    retry_after: error.headers?.get?.("retry-after") ?? null,
  };
}
console.log(JSON.stringify(saw));
