/**
 * The text form of a position in a trace, `traceparent` of W3C Trace Context: version, trace id, span id, flags. It travels as
 * this text through callers, job records and log lines; src/telemetry makes spans of it.
 */

const rule = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$/;

/**
 * A header or metadata value in the form of version 00; undefined when it is not well formed, as the standard wants it. Later
 * versions may say more behind the flags.
 */
export function readTraceparent(given: unknown): string | undefined {
  if (typeof given !== 'string') return undefined;
  const [, version, known, more] = rule.exec(given) ?? [];
  return known === undefined || (version === '00' && more !== undefined) ? undefined : `00-${known}`;
}

/** Whether whoever began the trace records it. `traceparent` is well formed, here and below. */
export const isSampled = (traceparent: string): boolean => (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;

export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35);
export const spanIdOf = (traceparent: string): string => traceparent.slice(36, 52);

/** The members of a log line by which log and traces are joined, under the names that OpenTelemetry gives them. */
export const traceFields = (traceparent: string) => ({
  trace_id: traceIdOf(traceparent),
  span_id: spanIdOf(traceparent),
});
