// The two tenants of the campaign: a key of each, and one of everything that a tenant can have, under names that nothing else has.
import { randomBytes } from 'node:crypto';

/** Names of one tenant's things. */
export interface Things {
  readonly model: string;
  readonly dataset: string;
  readonly job: string;
  readonly sweep: string;
  readonly key: string;
}

export interface CampaignTenant {
  readonly name: string;
  readonly authorization: string;
  readonly things: Things;
}

/** Long enough not to turn up by chance. */
export const uniqueName = (kind: string): string => `${kind}-${randomBytes(6).toString('hex')}`;

/** `model` was published for the tenant before the service was started. */
export async function openTenant(url: string, adminKey: string, name: string, model: string): Promise<CampaignTenant> {
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
  return { name, authorization: own, things: { model, dataset, job: job.id, sweep: sweep.id, key: made.id } };
}
