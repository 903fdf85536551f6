// An OTLP receiver (HTTP, protobuf) in this process: keeps every span that it is sent, in a form that tests can ask.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fieldsOf } from '../../src/sdk/protobuf.ts';

export interface ReceivedSpan {
  /** `service.name` of the process that made it */
  readonly service: string;
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  /** empty: it begins its trace */
  readonly parent: string;
  readonly kind: number;
  /** ms since 1970 */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  /** ids of the spans that it names besides its parent */
  readonly links: readonly string[];
  /** 2: it failed */
  readonly status: number;
}

export interface OtlpReceiver {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** headers of each request */
  readonly headers: readonly Readonly<Record<string, unknown>>[];
  stop(): Promise<void>;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ms = (bytes: Uint8Array): number => Number(Buffer.from(bytes).readBigUInt64LE() / 1000n) / 1000;

/** The fields of a message by number, each as often as it stands there. Throws for a body that is not protobuf. */
function messageOf(bytes: Uint8Array) {
  const fields = [...fieldsOf(bytes)];
  const all = (number: number) => fields.filter((field) => field.number === number);
  const bytesOf = (number: number): Uint8Array => all(number)[0]?.bytes ?? new Uint8Array();
  return { all, bytesOf, valueOf: (number: number): number => all(number)[0]?.value ?? 0 };
}

/** AnyValue: string, bool, int, double. */
function anyValueOf(bytes: Uint8Array): unknown {
  const [field] = [...fieldsOf(bytes)];
  if (field?.number === 1) return text(field.bytes);
  if (field?.number === 2) return field.value === 1;
  if (field?.number === 3) return field.value;
  return field?.number === 4 ? Buffer.from(field.bytes).readDoubleLE() : undefined;
}

const attributesOf = (fields: readonly { readonly bytes: Uint8Array }[]): Record<string, unknown> =>
  Object.fromEntries(
    fields.map(({ bytes }) => {
      const pair = messageOf(bytes);
      return [text(pair.bytesOf(1)), anyValueOf(pair.bytesOf(2))];
    }),
  );

/** ExportTraceServiceRequest (opentelemetry/proto/trace/v1). */
function* spansOf(body: Uint8Array): Generator<ReceivedSpan> {
  for (const { bytes: ofResource } of messageOf(body).all(1)) {
    const resourceSpans = messageOf(ofResource);
    const resource = attributesOf(messageOf(resourceSpans.bytesOf(1)).all(1));
    for (const { bytes: ofScope } of resourceSpans.all(2)) {
      for (const { bytes } of messageOf(ofScope).all(2)) {
        const span = messageOf(bytes);
        yield {
          service: String(resource['service.name']),
          trace: hex(span.bytesOf(1)),
          id: hex(span.bytesOf(2)),
          parent: hex(span.bytesOf(4)),
          name: text(span.bytesOf(5)),
          kind: span.valueOf(6),
          start: ms(span.bytesOf(7)),
          end: ms(span.bytesOf(8)),
          attributes: attributesOf(span.all(9)),
          events: span.all(11).map(({ bytes: event }) => ({
            name: text(messageOf(event).bytesOf(2)),
            attributes: attributesOf(messageOf(event).all(3)),
          })),
          links: span.all(13).map(({ bytes: link }) => hex(messageOf(link).bytesOf(2))),
          status: messageOf(span.bytesOf(15)).valueOf(3),
        };
      }
    }
  }
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    headers.push({ ...request.headers, url: request.url });
    try {
      spans.push(...spansOf(Buffer.concat(pieces)));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    headers,
    stop: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}
