// Sends spans and log records with OpenTelemetry's own exporters for Node: `node exporter.js URL json|proto`.
const [url, form] = process.argv.slice(2);
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BasicTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { LoggerProvider, SimpleLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${form === "json" ? "http" : "proto"}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${form === "json" ? "http" : "proto"}`);

async function main() {
  const options = (path) => ({ url: `${url}${path}`, compression: "gzip" });
  const app = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "my-app" }),
    spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter(options("/v1/traces")))],
  });
  const span = app.getTracer("test").startSpan("chat gpt-4o");
  span.setAttributes({
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.id": `chatcmpl-node-${form}-0123456789`,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 20,
    "gen_ai.usage.output_tokens": 30,
  });
  span.end();
  await app.shutdown();
  const logs = new LoggerProvider({
    resource: resourceFromAttributes({ "service.name": "claude-code" }),
    processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(options("/v1/logs")) })],
  });
  logs.getLogger("com.anthropic.claude_code.events").emit({
    body: "claude_code.api_request",
    attributes: {
      "event.name": "api_request", "session.id": "s-node", model: "claude-opus-5",
      input_tokens: 12, output_tokens: 3, request_id: `req_node_${form}`,
    },
  });
  await logs.shutdown();
}

main();
