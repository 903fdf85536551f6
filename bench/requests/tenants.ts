// The two tenants of the campaign: a key of each, one of everything that a tenant can have, and what they make on the way.
import { randomBytes } from 'node:crypto';
import type { Draw } from './draw.ts';

export const kinds = ['model', 'dataset', 'job', 'sweep', 'key'] as const;
export type Kind = (typeof kinds)[number];
export type Things = Readonly<Record<Kind, string>>;

/** Long enough not to turn up by chance; `ownerOf` finds it in any text. */
export const uniqueName = (kind: string): string => `${kind}-${randomBytes(6).toString('hex')}`;

/** Names that `uniqueName` and the campaign's requests make, ids of jobs, sweeps and keys, and keys themselves. */
const nameRule = /\b[a-z]+-[0-9a-f]{12}\b|\b[0-9a-hjkmnp-tv-z]{26}\b|\bhg_[0-9A-Za-z]{51,72}\b|\b[0-9a-f]{16}\b/g;
const keptNames = 60;

/** Which tenant has which name. Keys that were shown once have the owner `nobody`: no answer may show them again. */
export class Owners {
  readonly #owners = new Map<string, string>();

  set(name: string, owner: string): void {
    this.#owners.set(name, owner);
    if (this.#owners.size > 200_000) this.#owners.delete(this.#owners.keys().next().value as string);
  }

  /** Names in an answer that are neither the tenant's nor in its request. */
  foreign(tenant: string, request: string, answer: string): string[] {
    const found = new Set(answer.match(nameRule) ?? []);
    return [...found].filter((name) => {
      const owner = this.#owners.get(name);
      return owner !== undefined && owner !== tenant && !request.includes(name);
    });
  }
}

export class CampaignTenant {
  readonly name: string;
  readonly authorization: string;
  readonly things: Things;
  /** made by the campaign's own requests */
  readonly #made: Readonly<Record<Kind, string[]>> = { model: [], dataset: [], job: [], sweep: [], key: [] };
  /** keys with less than all scopes, some of them revoked since */
  readonly secrets: string[] = [];

  constructor(name: string, authorization: string, things: Things) {
    this.name = name;
    this.authorization = authorization;
    this.things = things;
  }

  /** Everything of its own that is known by now. */
  get names(): readonly string[] {
    return [this.name, ...Object.values(this.things), ...Object.values(this.#made).flat()];
  }

  remember(kind: Kind, name: string): void {
    const names = this.#made[kind];
    names.push(name);
    if (names.length > keptNames) names.shift();
  }

  rememberSecret(key: string): void {
    this.secrets.push(key);
    if (this.secrets.length > keptNames) this.secrets.shift();
  }

  /** One of its things: what it always has, or what requests have made. */
  one(kind: Kind, draw: Draw): string {
    const names = this.#made[kind];
    return names.length > 0 && draw.chance(0.5) ? draw.pick(names) : this.things[kind];
  }

  /** What later requests ask for, so that it must not be deleted. */
  needs(name: string): boolean {
    return Object.values(this.things).includes(name);
  }
}

/** `models` were published for the tenant before the service was started; the first of them stays. */
export async function openTenant(
  url: string,
  adminKey: string,
  name: string,
  models: readonly string[],
): Promise<CampaignTenant> {
  const send = async (
    authorization: string,
    method: string,
    target: string,
    body?: unknown,
    type = 'application/json',
  ) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const headers = { authorization, ...(body !== undefined && { 'content-type': type }) };
    const answer = await fetch(url + target, { method, headers, ...(body !== undefined && { body: text }) });
    const found = (await answer.json()) as { readonly id: string; readonly key: string };
    if (!answer.ok) throw new Error(`${method} ${target}: ${JSON.stringify(found)}`);
    return found;
  };
  const scopes = ['infer', 'read', 'train', 'publish', 'admin'];
  const made = await send(`Bearer ${adminKey}`, 'POST', '/v1/keys', { name, tenant: name, scopes });
  const own = `Bearer ${made.key}`;
  const dataset = uniqueName('set');
  const csv = `a,b,c,d\n${Array.from({ length: 50 }, (_, i) => [i, i % 7, i % 5, 1].join(',')).join('\n')}\n`;
  await send(own, 'POST', `/v1/datasets?name=${dataset}`, csv, 'text/csv');
  const spec = { name: uniqueName('job'), dataset, model: { type: 'dense', code: 2 } };
  const job = await send(own, 'POST', '/v1/jobs', spec);
  const search = { type: 'grid', parameters: { '/training/seed': [1, 2] } };
  const sweep = await send(own, 'POST', '/v1/sweeps', { job: { ...spec, name: uniqueName('sweep') }, search });
  const [model = '', ...others] = models;
  const tenant = new CampaignTenant(name, own, { model, dataset, job: job.id, sweep: sweep.id, key: made.id });
  for (const other of others) tenant.remember('model', other);
  return tenant;
}
