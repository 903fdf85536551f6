/** Settings of tracing: the part of the table with OpenTelemetry's own variables. */

import { groupOf } from './setting-groups.ts';
import { choice, optional, pattern, share, url } from './setting-kinds.ts';

const traces = groupOf('traces');

export const traceSettings = {
  otlpEndpoint: traces(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    optional(url('http:', 'https:')),
    null,
    'collector that takes OTLP over HTTP, such as http://collector:4318; without it there are no spans',
  ),
  otlpTracesEndpoint: traces(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    optional(url('http:', 'https:')),
    null,
    'the same for spans alone, with its path: http://collector:4318/v1/traces',
  ),
  otlpProtocol: traces(
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    choice('http/protobuf'),
    'http/protobuf',
    'the form in which spans are sent',
  ),
  otlpHeaders: traces(
    'OTEL_EXPORTER_OTLP_HEADERS',
    optional(pattern(/=/, 'name=value pairs with commas between them')),
    null,
    'headers of what is sent to the collector',
    true,
  ),
  serviceName: traces(
    'OTEL_SERVICE_NAME',
    optional(pattern(/^.{1,200}$/, 'a name')),
    null,
    'service.name of the spans; without it hourglass-gateway or hourglass-worker',
  ),
  traceSampler: traces(
    'OTEL_TRACES_SAMPLER',
    choice(
      ...(['always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off'] as const),
      'parentbased_traceidratio',
    ),
    'parentbased_always_on',
    'which traces are recorded; parentbased: as the client says, where it says so',
  ),
  traceRatio: traces('OTEL_TRACES_SAMPLER_ARG', share, '1', 'share of the traces that a sampler by ratio records'),
} as const;
