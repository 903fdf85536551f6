// The SDK in an engine that has the language alone, as React Native's may be: no Response, TextDecoder, atob or crypto; and with a
// fetch that is not the platform's.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import vm from 'node:vm';
import fc from 'fast-check';
import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { decodeBase64, decodeText } from '../../src/sdk/environment.ts';
import { HourglassClient, type HttpRequest } from '../../src/sdk/index.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** The SDK as one script, which leaves its exports in `sdk`. */
async function script(): Promise<string> {
  const bundle = await rolldown({ input: path.join(root, 'src/sdk/index.ts'), platform: 'neutral' });
  const { output } = await bundle.generate({ format: 'iife', name: 'sdk' });
  await bundle.close();
  return output[0].code;
}

/** Like node-fetch: an answer of its own class, with a stream of Node as its body. */
function oddFetch(answers: Readonly<Record<string, string>>, withBody: boolean) {
  return async (url: string, request: HttpRequest) => {
    const text = answers[new URL(url).pathname] ?? '{}';
    const bytes = Buffer.from(text);
    return {
      ...{ ok: true, status: 200, headers: { get: () => null }, request },
      ...(withBody && { body: Readable.from([...bytes].map((byte) => Buffer.of(byte))) }),
      text: async () => text,
      json: async () => JSON.parse(text),
      arrayBuffer: async () => new Uint8Array(bytes).buffer,
    };
  };
}

const stream = 'id: 1-0\nevent: epoch\ndata: {"phase":"étape ½ 😀"}\n\nid: 2-0\nevent: end\ndata: {"id":"x"}\n\n';

describe('the SDK', () => {
  it('works in a bare engine with a fetch that it is given', async () => {
    const context = vm.createContext({ setTimeout, clearTimeout });
    vm.runInContext(await script(), context);
    for (const name of ['Response', 'TextDecoder', 'atob', 'crypto', 'URL', 'fetch']) {
      expect(vm.runInContext(`typeof ${name}`, context)).toBe('undefined');
    }
    const { HourglassClient: Client } = vm.runInContext('sdk', context) as { HourglassClient: typeof HourglassClient };
    expect(() => new Client({ baseUrl: 'http://hourglass.test' })).toThrow(/There is no fetch here/);
    for (const withBody of [true, false]) {
      const fetch = oddFetch({ '/v1/jobs/x/events': stream, '/v1/info': '{"name":"hourglass"}' }, withBody);
      const client = new Client({ baseUrl: 'http://hourglass.test', fetch });
      expect(await client.info()).toEqual({ name: 'hourglass' });
      const events = [];
      for await (const event of client.jobs.events('x')) events.push(event);
      expect(events).toMatchObject([{ type: 'epoch', data: { phase: 'étape ½ 😀' } }, { type: 'end' }]);
      await client.jobs.submit({ name: 'x', dataset: 'mnist', model: { type: 'dense' } });
    }
  });

  it('takes the fetch of undici’s kind, whose Response is another class', async () => {
    const server = createServer((_, response) => response.end('{"name":"hourglass"}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const calls: string[] = [];
    const client = new HourglassClient({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      fetch: async (url, request) => {
        calls.push(url);
        const answer = await fetch(url, request);
        return {
          ok: answer.ok,
          status: answer.status,
          headers: answer.headers,
          body: answer.body,
          text: () => answer.text(),
          json: () => answer.json(),
          arrayBuffer: () => answer.arrayBuffer(),
        };
      },
    });
    expect(await client.info()).toEqual({ name: 'hourglass' });
    expect(calls).toHaveLength(1);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('what the platform may lack', () => {
  it('base64 gives the bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeBase64(Buffer.from(bytes).toString('base64'))).toEqual(bytes);
      }),
    );
  });

  it('UTF-8 is read and refused as TextDecoder does', () => {
    const own = vm.createContext({});
    vm.runInContext(`decodeText = ${decodeText.toString()}`, own);
    const bare = vm.runInContext('decodeText', own) as typeof decodeText;
    const outcome = (decode: (bytes: Uint8Array) => string, bytes: Uint8Array) => {
      try {
        return decode(bytes);
      } catch {
        return 'refused';
      }
    };
    const text = fc.string({ unit: 'grapheme' }).map((value) => new TextEncoder().encode(`x${value}`));
    fc.assert(
      fc.property(text, (bytes) => {
        expect(outcome(bare, bytes)).toBe(outcome(decodeText, bytes));
        expect(outcome(bare, bytes)).not.toBe('refused');
      }),
    );
    for (const broken of [[0xff], [0xc3], [0xe2, 0x82], [0xc0, 0xaf], [0x80], [0xc3, 0x28]]) {
      expect(outcome(bare, Uint8Array.from(broken))).toBe('refused');
    }
  });
});
