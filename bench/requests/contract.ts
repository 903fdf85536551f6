// Whether an answer over REST is one that openapi.yaml plans: its status, its type, and its body by the schema.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import type { Contract } from '../../src/gateway/http/contract.ts';

export interface RestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export const contract = parse(
  readFileSync(path.resolve(import.meta.dirname, '../../openapi.yaml'), 'utf8'),
) as Contract;
const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);
ajv.addSchema(contract, 'contract');

const pointerOf = (parts: readonly (string | number)[]): string =>
  `contract#/${parts.map((part) => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
const problem = ajv.getSchema(pointerOf(['components', 'schemas', 'Problem'])) as ValidateFunction;

/** Templates with fewer parameters first: `/v2/models/stats` before `/v2/models/{model}`. */
const templates = Object.keys(contract.paths)
  .map((template) => ({
    template,
    rule: new RegExp(`^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}$`),
  }))
  .sort((a, b) => (a.template.match(/\{/g) ?? []).length - (b.template.match(/\{/g) ?? []).length);
const validators = new Map<string, ValidateFunction | undefined>();
/** Pages for people and what they load, which the contract does not describe. */
const pages = /^\/($|console\/|demo\/|photos\/)/;

/** Undefined when it is planned. */
export function flawOf(method: string, target: string, { status, headers, body }: RestAnswer): string | undefined {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  const url = target.split('?', 1)[0] ?? '';
  const { template } =
    templates.find(({ rule, template: one }) => rule.test(url) && contract.paths[one]?.[method.toLowerCase()]) ?? {};
  const responses = template === undefined ? undefined : contract.paths[template]?.[method.toLowerCase()]?.responses;
  if (status >= 400) {
    if (method === 'HEAD') return undefined;
    if (type !== 'application/problem+json') return `${status} as ${type || 'nothing'}`;
    const found = JSON.parse(body.toString()) as { readonly status?: number };
    if (!problem(found)) return `${status}: not a problem: ${ajv.errorsText(problem.errors)}`;
    if (found.status !== status) return `${status} says ${found.status}`;
    // 431 and 417 are refusals of the parser, before the path is known.
    return responses && !responses[status] && ![417, 431].includes(status)
      ? `${status} is not in the contract`
      : undefined;
  }
  if (method === 'HEAD' || method === 'OPTIONS') return undefined;
  if (status >= 300 || status === 204) {
    return responses && !responses[status] ? `${status} is not in the contract` : undefined;
  }
  if (template === undefined) {
    return pages.test(url) && method === 'GET' ? undefined : `${status} of a path that the contract does not have`;
  }
  const content = responses?.[status]?.content;
  if (!content?.[type]) return `${status} as ${type} is not in the contract`;
  if (type !== 'application/json') return undefined;
  const key = `${template} ${method} ${status}`;
  if (!validators.has(key)) {
    const parts = ['paths', template, method.toLowerCase(), 'responses', status, 'content', type, 'schema'];
    validators.set(key, ajv.getSchema(pointerOf(parts)));
  }
  const validate = validators.get(key);
  return validate?.(JSON.parse(body.toString())) ? undefined : `${status}: ${ajv.errorsText(validate?.errors)}`;
}
