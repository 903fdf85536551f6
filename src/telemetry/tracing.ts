/**
 * Spans for whoever sets OTEL_EXPORTER_OTLP_ENDPOINT: the only door to OpenTelemetry. Without the setting there is no `Tracing`,
 * and neither the SDK nor the exporter is loaded.
 *
 * Every parent is given as text (src/base/traceparent.ts), so nothing depends on which function called which.
 */

import {
  type Attributes,
  type Context,
  createTraceState,
  DiagLogLevel,
  diag,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TimeInput,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { isSampled, spanIdOf, traceIdOf } from '../base/traceparent.ts';

export interface TracingSettings {
  /** `service.name`, unless OTEL_SERVICE_NAME says otherwise */
  readonly service: string;
  /** of Hourglass */
  readonly version: string;
  readonly sampler: SamplerName;
  /** share of the traces that begin here, for the samplers by ratio */
  readonly ratio: number;
  /** told when spans cannot be sent, at most once a minute */
  readonly warn: (reason: string) => void;
}

export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

export interface SpanOptions {
  /** absent: a new trace begins */
  readonly parent?: string | undefined;
  /** the parent was made by another process */
  readonly isRemote?: boolean;
  readonly tracestate?: string | undefined;
  readonly kind?: SpanKind;
  readonly start?: TimeInput;
  readonly attributes?: Attributes;
  /** other positions that it has to do with */
  readonly links?: readonly string[];
}

const warnEveryMs = 60_000;

export class Tracing {
  readonly #tracer: Tracer;
  readonly #shutdown: () => Promise<void>;

  private constructor(tracer: Tracer, shutdown: () => Promise<void>) {
    this.#tracer = tracer;
    this.#shutdown = shutdown;
  }

  /** The exporter reads its own settings from the environment: OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS, …_TIMEOUT, … */
  static async open(settings: TracingSettings): Promise<Tracing> {
    const { service, version } = settings;
    const sdk = await import('@opentelemetry/sdk-trace');
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
    const resources = await import('@opentelemetry/resources');
    reportTrouble(settings.warn);
    const { envDetector, serviceInstanceIdDetector } = resources;
    const resource = resources
      .resourceFromAttributes({ 'service.name': service, 'service.version': version })
      .merge(resources.detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }));
    const provider = new sdk.TracerProvider({
      resource,
      sampler: samplerOf(sdk, settings),
      spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
    });
    return new Tracing(provider.getTracer('hourglass', version), () => provider.shutdown());
  }

  start(name: string, { parent, isRemote, tracestate, start, links, ...options }: SpanOptions = {}): Span {
    const context = parent === undefined ? ROOT_CONTEXT : contextOf(parent, isRemote, tracestate);
    return this.#tracer.startSpan(
      name,
      {
        ...options,
        ...(start !== undefined && { startTime: start }),
        ...(links && { links: links.map((link): Link => ({ context: spanContextOf(link) })) }),
      },
      context,
    );
  }

  /** Sends what is left. */
  close(): Promise<void> {
    return this.#shutdown();
  }
}

/** The span's position as text. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Marks a span as failed. `type` is a code of the error table or a word as short. */
export function markFailed(span: Span, type: string, message = ''): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

export { type Attributes, type Span, SpanKind };

function spanContextOf(traceparent: string): SpanContext {
  return {
    traceId: traceIdOf(traceparent),
    spanId: spanIdOf(traceparent),
    traceFlags: isSampled(traceparent) ? 1 : 0,
  };
}

function contextOf(parent: string, isRemote = false, tracestate?: string): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...spanContextOf(parent),
    isRemote,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  });
}

type Sdk = typeof import('@opentelemetry/sdk-trace');

function samplerOf(sdk: Sdk, { sampler, ratio }: TracingSettings) {
  const root = (name: string) => {
    if (name === 'always_off') return new sdk.AlwaysOffSampler();
    return name === 'traceidratio' ? new sdk.TraceIdRatioBasedSampler(ratio) : new sdk.AlwaysOnSampler();
  };
  const prefix = 'parentbased_';
  if (!sampler.startsWith(prefix)) return root(sampler);
  return new sdk.ParentBasedSampler({ root: root(sampler.slice(prefix.length)) });
}

/** A collector that is away must not fill the log. */
function reportTrouble(warn: (reason: string) => void): void {
  let silentUntil = 0;
  const report = (...parts: unknown[]): void => {
    const now = performance.now();
    if (now < silentUntil) return;
    silentUntil = now + warnEveryMs;
    warn(parts.map((part) => (part instanceof Error ? part.message : String(part))).join(' '));
  };
  const ignore = (): void => {};
  diag.setLogger(
    { error: report, warn: report, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
