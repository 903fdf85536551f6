/** `hourglass audit`: who changed what. */

import type { AuditPage } from '../../sdk/index.ts';
import { type Command, count, exitCodes, text } from '../command.ts';

const defaultLimit = 50;

export const auditCommand: Command = {
  name: 'audit',
  summary: 'Shows who changed what: jobs, data sets, models, aliases, keys. Needs a key with the scope admin.',
  usage: ['[--limit N] [--tenant NAME]'],
  options: {
    limit: { type: 'string', value: 'N', help: `changes, the newest first; default ${defaultLimit}` },
    tenant: { type: 'string', value: 'NAME', help: 'of another tenant, for admins of the tenant default' },
  },
  examples: [
    'hourglass audit --limit 1000',
    'hourglass audit --json | jq -r \'.entries[] | select(.action == "key.create")\'',
  ],

  async run(call) {
    const { client, terminal, signal } = call;
    const most = count(call, 'limit') ?? defaultLimit;
    const tenant = text(call, 'tenant');
    const entries: Entry[] = [];
    let cursor: string | undefined;
    do {
      const limit = Math.min(1000, most - entries.length);
      const page = await client.audit({ limit, signal, ...(cursor && { cursor }), ...(tenant && { tenant }) });
      entries.push(...page.entries);
      cursor = page.nextCursor;
    } while (cursor !== undefined && entries.length < most);
    terminal.json({ entries, ...(cursor !== undefined && { nextCursor: cursor }) });
    terminal.table(['TIME', 'CALLER', 'ACTION', 'TARGET', 'DETAILS', 'FROM'], entries.map(row));
    if (cursor !== undefined) terminal.note('There are more: --limit');
    return exitCodes.done;
  },
};

type Entry = AuditPage['entries'][number];

const row = ({ at, caller, action, target, details = {}, outcome, address = '–' }: Entry): string[] => [
  ...[at.slice(0, 19).replace('T', ' '), caller, outcome === 'done' ? action : `${action} (${outcome})`, target],
  Object.entries(details)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ') || '–',
  address,
];
