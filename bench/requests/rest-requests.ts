// Requests over REST from openapi.yaml: any of its operations, with parts that are valid, of the wrong kind, of the other tenant, or
// damaged bytes.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ContractOperation, ContractSchema } from '../../src/gateway/http/contract.ts';
import { contract } from './contract.ts';
import { anyJunk, type Draw, damaged, wellFormed } from './draw.ts';
import { kindOf, newName, reference, rows, type Sender } from './names.ts';
import { SchemaValues } from './schema-values.ts';

export interface RestRequest {
  readonly method: string;
  readonly target: string;
  /** of the contract; undefined when the path is none of its paths */
  readonly template: string | undefined;
  readonly bytes: Buffer;
  /** the request line or a header is damaged: what comes back may be of another request, and need not come at all */
  readonly isDamaged: boolean;
  readonly key: 'own' | 'none' | 'unknown' | 'other scopes';
}

interface Operation {
  readonly method: string;
  readonly template: string;
  readonly operation: ContractOperation;
}

/** They cost far more than others, or hold a connection for long. */
const rare = /^(POST \/v1\/datasets|GET .*\/(bundle|events)|GET \/(docs|demo|photos|openapi.*))$/;
const operations: readonly Operation[] = Object.entries(contract.paths).flatMap(([template, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) => {
    const one = { method: method.toUpperCase(), template, operation };
    return Array<Operation>(rare.test(`${one.method} ${template}`) ? 1 : 5).fill(one);
  }),
);
const vectors = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../../docs/frame-vectors.json'), 'utf8'),
) as { readonly codecs: readonly { readonly frames: readonly { readonly frame: string }[] }[] };
/** Whole, and of no model that is there. */
const frame = Buffer.from(vectors.codecs[0]?.frames[0]?.frame ?? '', 'hex');
const otherMethods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'QUERY'];
/** 2×2, grey */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGMQaGD47wAABJQB0IR2lngAAAAASUVORK5CYII=',
  'base64',
);

/** Valid as often as not. */
export function restRequest(draw: Draw, sender: Sender, port: number): RestRequest {
  const { method: planned, template, operation } = draw.pick(operations);
  const method = draw.chance(0.04) ? draw.pick(otherMethods) : planned;
  const values = new SchemaValues(contract, draw, sender, draw.chance(0.5) ? 0 : 0.06);
  const target = draw.chance(0.02)
    ? `/${encodeURIComponent(wellFormed(String(anyJunk(draw))))}`.slice(0, 300)
    : pathOf(draw, sender, template, [planned, method]) + queryOf(draw, sender, operation, values);
  const key = draw.chance(0.97) ? 'own' : draw.pick(['none', 'unknown', 'other scopes'] as const);
  const [type, body] = bodyOf(draw, template, operation, values);
  const headers: Record<string, string> = {
    host: `127.0.0.1:${port}`,
    ...authorizationOf(draw, sender, key),
    ...(type !== undefined && { 'content-type': type }),
    ...((type !== undefined || method !== 'GET') && { 'content-length': String(body.length) }),
    ...headersOf(draw, operation, values),
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const start = `${method} ${target} HTTP/1.1\r\n${head.join('')}`;
  const isDamaged = draw.chance(0.08) && !isDeletionOfNeeded(method, target, sender);
  const whole = Buffer.concat([Buffer.from(`${start}${isDamaged ? 'connection: close\r\n' : ''}\r\n`, 'latin1'), body]);
  return { method, target, template, bytes: isDamaged ? damaged(draw, whole) : whole, isDamaged, key };
}

/** Its own main key and things stay: later requests ask for them. */
const isDeletionOfNeeded = (method: string, path: string, { own }: Sender): boolean =>
  method === 'DELETE' && path.split(/[/?]/).some((part) => own.needs(part));

/** `methods`: the one that the template has, and the one that it is asked with. */
function pathOf(draw: Draw, sender: Sender, template: string, methods: readonly [string, string]): string {
  const takesAway = methods.includes('DELETE') || /\/(rotate|unload)$/.test(template);
  const path = template.replace(/\{(\w+)\}/g, (_whole, name: string) => {
    if (draw.chance(0.03)) return encodeURIComponent(wellFormed(String(anyJunk(draw)))).slice(0, 1500);
    if (name === 'version') return draw.pick(['1', '1', '1', '2', '0', 'x', '999999999999']);
    if (name === 'file')
      return draw.pick(['report.json', 'encoder.onnx', 'manifest.json', '..', '..%2f..%2fx', 'none']);
    if (name === 'alias' || name === 'label') return draw.pick(['stable', 'fuzz', 'fuzz-2', '1', 'latest', 'X']);
    const kind = kindOf(name === 'model' ? 'model' : template) ?? 'model';
    const found = encodeURIComponent(reference(draw, sender, kind));
    const isKept = takesAway && sender.own.needs(found) && !/aliases|shared|cancel/.test(template);
    return isKept ? newName(draw) : found;
  });
  const isVerb = methods[0] === 'POST' && /\{(model|version|label)\}$/.test(template);
  return isVerb ? path + draw.pick([':predict', ':predict', ':classify', ':regress', ':x', '']) : path;
}

function queryOf(draw: Draw, sender: Sender, operation: ContractOperation, values: SchemaValues): string {
  const parts: string[] = [];
  for (const { name, in: place, schema = {}, required } of operation.parameters ?? []) {
    if (place !== 'query' || !(required || name === 'name' || draw.chance(0.2))) continue;
    const value = name === 'model' ? reference(draw, sender, 'model') : values.value(schema, name);
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    parts.push(`${name}=${encodeURIComponent(wellFormed(text))}`);
  }
  if (draw.chance(0.02)) parts.push(...parts, `x=${encodeURIComponent(wellFormed(String(anyJunk(draw))))}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}

const visible = (value: unknown): string =>
  String(value)
    .replace(/[^ -~]/g, '?')
    .slice(0, 500);

function authorizationOf(draw: Draw, { own }: Sender, key: RestRequest['key']): Record<string, string> {
  if (key === 'none') return {};
  if (key === 'unknown')
    return { authorization: visible(draw.pick(['', 'Bearer', 'Basic eDp5', `Bearer hg_${draw.hex(43)}`])) };
  if (key === 'other scopes' && own.secrets.length > 0) return { authorization: `Bearer ${draw.pick(own.secrets)}` };
  return { authorization: own.authorization };
}

const otherHeaders = [
  'x-request-id',
  'traceparent',
  'origin',
  'if-none-match',
  'range',
  'x-hourglass-receipt',
  'prefer',
];
const accepts = [
  '*/*',
  'application/json',
  'application/octet-stream',
  'image/png',
  'application/vnd.hourglass.frame',
  'x',
  '',
];

function headersOf(draw: Draw, { parameters = [] }: ContractOperation, values: SchemaValues): Record<string, string> {
  const found: Record<string, string> = {};
  if (draw.chance(0.4)) found.accept = draw.pick(accepts);
  for (const { name, in: place, schema = {} } of parameters) {
    if (place !== 'header' || !draw.chance(0.2)) continue;
    found[name] = name === 'idempotency-key' ? `key-${draw.below(50)}` : visible(values.value(schema, name));
  }
  if (draw.chance(0.03)) found[draw.pick(otherHeaders)] = visible(anyJunk(draw));
  return found;
}

function bodyOf(
  draw: Draw,
  template: string,
  { requestBody }: ContractOperation,
  values: SchemaValues,
): readonly [type: string | undefined, body: Buffer] {
  if (!requestBody) return draw.chance(0.02) ? ['application/json', Buffer.from('{}')] : [undefined, Buffer.alloc(0)];
  const types = Object.keys(requestBody.content);
  const usual = types[0] as string;
  const type = draw.chance(0.75) ? usual : draw.pick(types);
  const body =
    type === 'application/json'
      ? Buffer.from(JSON.stringify(jsonOf(draw, template, requestBody.content[type]?.schema ?? {}, values)) ?? '')
      : bytesOf(draw, type);
  const sentType = draw.chance(0.03)
    ? draw.pick(['text/plain', 'application/xml', 'x', 'application/json; charset=latin1'])
    : type;
  return [
    sentType === 'multipart/form-data' ? `${sentType}; boundary=fuzz` : sentType,
    draw.chance(0.12) ? damaged(draw, body) : body,
  ];
}

/** The contract leaves the bodies of other protocols open. */
function jsonOf(draw: Draw, template: string, schema: ContractSchema, values: SchemaValues): unknown {
  const wrong = (name: string, value: unknown) => values.value({ const: value }, name);
  if (template.endsWith('/infer')) {
    const tensor = {
      name: wrong('', 'inputs'),
      datatype: wrong('', 'FP32'),
      shape: wrong('', [1, 4]),
      data: wrong('', rows(draw, 4)[0]),
    };
    return {
      id: wrong('', 'a'),
      inputs: draw.chance(0.9) ? [tensor] : [tensor, tensor],
      ...(draw.chance(0.1) && { outputs: [{ name: 'codes' }] }),
    };
  }
  if (/\{(model|version|label)\}$/.test(template)) {
    const given = wrong('', rows(draw, 4));
    return {
      [draw.pick(['instances', 'instances', 'inputs'])]: given,
      ...(draw.chance(0.2) && { signature_name: wrong('', 'serving_default') }),
    };
  }
  return values.value(schema);
}

function bytesOf(draw: Draw, type: string): Buffer {
  if (type === 'multipart/form-data') {
    const part = (head: string, text: string): string =>
      `--fuzz\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`;
    return Buffer.from(
      `${part('name="name"', newName(draw))}${part('name="file"; filename="a.csv"', csv(draw))}--fuzz--\r\n`,
    );
  }
  if (/csv|excel|plain|tab-sep|form-urlencoded/.test(type)) return Buffer.from(csv(draw));
  if (type.includes('gzip')) return gzipSync(csv(draw));
  if (type === 'image/png') return png;
  if (type.includes('frame')) return frame;
  return Buffer.from(Float32Array.from(rows(draw, 4).flat()).buffer);
}

const csv = (draw: Draw): string =>
  `a,b,c,d\n${Array.from({ length: 10 + draw.below(20) }, () => Array.from({ length: 4 }, () => draw.below(9)).join(',')).join('\n')}\n`;
