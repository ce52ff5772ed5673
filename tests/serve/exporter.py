"""Sends spans, log records and metrics with the OpenTelemetry SDK's own OTLP/HTTP exporter: protobuf, compressed with gzip."""

import logging
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

endpoint = sys.argv[1]


def tracer(service):
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", compression=Compression.Gzip)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return trace.get_tracer("test", tracer_provider=provider)


app = tracer("my-app")
with app.start_as_current_span("invoke_agent helper") as agent:
    agent.set_attribute("gen_ai.operation.name", "invoke_agent")
    agent.set_attribute("gen_ai.request.model", "gpt-4o")
    agent.set_attribute("gen_ai.usage.input_tokens", 100)
    agent.set_attribute("gen_ai.usage.output_tokens", 30)
    with app.start_as_current_span("chat gpt-4o") as chat:
        chat.set_attribute("gen_ai.operation.name", "chat")
        chat.set_attribute("gen_ai.provider.name", "openai")
        chat.set_attribute("gen_ai.request.model", "gpt-4o")
        chat.set_attribute("gen_ai.response.id", "chatcmpl-1")
        chat.set_attribute("gen_ai.usage.input_tokens", 100)
        chat.set_attribute("gen_ai.usage.cache_read.input_tokens", 20)
        chat.set_attribute("gen_ai.usage.output_tokens", 30)

claude = {
    "model": "claude-opus-5",
    "input_tokens": 12,
    "output_tokens": 3,
    "request_id": "req_py",
    "session.id": "s-py",
}
with tracer("claude-code").start_as_current_span("claude_code.llm_request") as span:
    for name, value in claude.items():
        span.set_attribute(name, value)

provider = LoggerProvider(resource=Resource.create({"service.name": "claude-code"}))
exporter = OTLPLogExporter(f"{endpoint}/v1/logs", compression=Compression.Gzip)
provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
logger = logging.getLogger("claude")
logger.setLevel(logging.INFO)
logger.addHandler(LoggingHandler(logger_provider=provider))
logger.info("claude_code.api_request", extra={"event.name": "api_request", **claude})
provider.shutdown()

# Metrics of a session that sends nothing else, as one cumulative sum for each class.
reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"), export_interval_millis=3_600_000)
meters = MeterProvider(resource=Resource.create({"service.name": "claude-code"}), metric_readers=[reader])
used = meters.get_meter("com.anthropic.claude_code").create_counter("claude_code.token.usage")
for _ in range(2):
    for kind, tokens in {"input": 5, "output": 7, "cacheRead": 11}.items():
        used.add(tokens, {"type": kind, "model": "claude-haiku-4-5", "session.id": "s-metrics"})
    meters.force_flush()
meters.shutdown()
