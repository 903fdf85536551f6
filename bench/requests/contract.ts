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

const contract = parse(readFileSync(path.resolve(import.meta.dirname, '../../openapi.yaml'), 'utf8')) as Contract;
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

/** Undefined when it is planned. */
export function flawOf(method: string, target: string, { status, headers, body }: RestAnswer): string | undefined {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (status >= 400) {
    if (body.length === 0) return method === 'HEAD' ? undefined : `${status} without a body`;
    if (type !== 'application/problem+json') return `${status} as ${type}`;
    const found = JSON.parse(body.toString()) as { readonly status?: number };
    if (!problem(found)) return `${status}: not a problem: ${ajv.errorsText(problem.errors)}`;
    return found.status === status ? undefined : `${status} says ${found.status}`;
  }
  if (status >= 300 || status === 204 || method === 'HEAD' || method === 'OPTIONS') return undefined;
  const url = target.split('?', 1)[0] ?? '';
  const { template } =
    templates.find(({ rule, template: one }) => rule.test(url) && contract.paths[one]?.[method.toLowerCase()]) ?? {};
  if (template === undefined) return `${status} of a path that the contract does not have`;
  const content = contract.paths[template]?.[method.toLowerCase()]?.responses[status]?.content;
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
