/** Server-Sent Events from a response (WHATWG HTML, section 9.2), as they arrive. */

import { decodeText } from './environment.ts';
import type { HttpResponse } from './transport.ts';

export interface ServerEvent {
  /** empty where the event has none */
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Ends when the stream ends; cancels the body when the consumer stops early. */
export async function* parseEvents(response: Pick<HttpResponse, 'body' | 'text'>): AsyncGenerator<ServerEvent> {
  let buffered = '';
  for await (const text of textOf(response)) {
    buffered += text;
    const blocks = buffered.split(/\r\n\r\n|\n\n|\r\r/);
    buffered = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event) yield event;
    }
  }
}

/** Text up to the last end of a line that has arrived: lines end with one byte, so that no character is cut. */
async function* textOf({ body, text }: Pick<HttpResponse, 'body' | 'text'>): AsyncGenerator<string> {
  let rest = new Uint8Array();
  for await (const chunk of chunksOf(body)) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    // a "\r" at the very end may be the first half of "\r\n"
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end > 0) yield decodeText(bytes.subarray(0, end));
    rest = bytes.slice(end);
  }
  if (rest.length > 0) yield decodeText(rest);
  // React Native has no body to read from: the events come together, when the job has ended
  if (body === undefined || body === null) yield await text();
}

/** Of a web stream or of one of Node. */
async function* chunksOf(body: unknown): AsyncGenerator<Uint8Array> {
  if (typeof body !== 'object' || body === null) return;
  if (!('getReader' in body)) {
    yield* body as AsyncIterable<Uint8Array>;
    return;
  }
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** undefined for a comment or an event without data */
function parseBlock(block: string): ServerEvent | undefined {
  const data: string[] = [];
  let id = '';
  let type = 'message';
  for (const line of block.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') data.push(value);
    else if (name === 'id') id = value;
    else if (name === 'event') type = value;
  }
  return data.length > 0 ? { id, type, data: data.join('\n') } : undefined;
}
