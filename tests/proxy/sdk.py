"""Makes calls through the proxy with the OpenAI and Anthropic SDKs, and says as JSON what they understood."""

import json
import sys

import anthropic
import openai

base = sys.argv[1]
asked = [{"role": "user", "content": "say hello"}]
said = {}

client = openai.OpenAI(base_url=base + "/v1", api_key="sk-test", default_headers={"x-team-id": "web"}, max_retries=0)
said["chat"] = client.chat.completions.create(model="gpt-5", messages=asked).choices[0].message.content
with client.chat.completions.create(model="gpt-5", messages=asked, stream=True) as stream:
    chunks = list(stream)
said["chat stream"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
with client.chat.completions.create(
    model="gpt-5", messages=asked, stream=True, stream_options={"include_usage": True}
) as stream:
    said["asked usage"] = [chunk.usage.completion_tokens for chunk in stream if chunk.usage]
said["responses"] = client.responses.create(model="gpt-5", input="say hello").output_text
with client.responses.create(model="gpt-5", input="say hello", stream=True) as stream:
    said["responses stream"] = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
said["embedding"] = len(client.embeddings.create(model="text-embedding-3-small", input="hello").data[0].embedding)

client = anthropic.Anthropic(base_url=base, api_key="sk-ant-test", default_headers={"x-team-id": "web"}, max_retries=0)
message = client.messages.create(model="claude-opus-5", max_tokens=100, messages=asked)
said["messages"] = message.content[0].text
with client.messages.stream(model="claude-opus-5", max_tokens=100, messages=asked) as stream:
    said["messages stream"] = "".join(stream.text_stream)

print(json.dumps(said))
