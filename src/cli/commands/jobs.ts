/** `hourglass jobs`: list, show, follow and steer. */

import type { JobView } from '../../sdk/index.ts';
import { type Call, type Command, count, exitCodes, text, word } from '../command.ts';
import { follow } from '../follow.ts';
import { UsageError } from '../usage-error.ts';

const actions = ['ls', 'show', 'events', 'cancel', 'resume', 'retry', 'rm'] as const;
const states = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'] as const;

export const jobsCommand: Command = {
  name: 'jobs',
  summary: 'Lists, shows, follows and steers training jobs.',
  usage: ['[ls] [--state STATE] [--search TEXT] [--limit N]', 'show|events|cancel|resume|retry|rm ID'],
  actions,
  options: {
    state: { type: 'string', value: 'STATE', help: states.join(', ') },
    search: { type: 'string', value: 'TEXT', help: 'what the id, name, data set or type contains' },
    limit: { type: 'string', value: 'N', help: 'jobs in the list; default 20' },
  },
  examples: [
    'hourglass jobs --state running',
    'hourglass jobs events ID',
    "hourglass jobs ls --json | jq -r '.jobs[].id'",
  ],

  async run(call) {
    const { client, terminal, words, signal } = call;
    const action = words[0] ?? 'ls';
    if (action === 'ls') return list(call);
    if (!(actions as readonly string[]).includes(action)) {
      throw new UsageError(`There is no action "${action}"; there are ${actions.join(', ')}.`);
    }
    const id = word(call, 1, 'The id of the job');
    if (action === 'events') return follow(call, id);
    if (action === 'rm') {
      await client.jobs.delete(id, { signal });
      terminal.json({ deleted: id });
      terminal.line(`${id} is deleted`);
      return exitCodes.done;
    }
    const job = await client.jobs[action === 'show' ? 'get' : (action as 'cancel' | 'resume' | 'retry')](id, {
      signal,
    });
    terminal.json(job);
    if (action === 'show') terminal.line(JSON.stringify(job, null, 2));
    else terminal.line(`${id} is ${job.state}`);
    return exitCodes.done;
  },
};

async function list(call: Call): Promise<number> {
  const { client, terminal, signal } = call;
  const wanted = text(call, 'state');
  const state = states.find((name) => name === wanted);
  if (wanted !== undefined && state === undefined) {
    throw new UsageError(`There is no state "${wanted}"; there are ${states.join(', ')}.`);
  }
  const search = text(call, 'search');
  const limit = count(call, 'limit') ?? 20;
  const page = await client.jobs.list({ limit, ...(state && { state }), ...(search && { search }), signal });
  terminal.json(page);
  terminal.table(['ID', 'STATE', 'MODEL', 'TYPE', 'DATA SET', 'PROGRESS', 'LOSS', 'CREATED'], page.jobs.map(row));
  if (page.nextCursor !== undefined) terminal.note('There are more: --limit, --state, --search');
  return exitCodes.done;
}

const row = ({ id, state, spec, progress, metrics, model, version, createdAt }: JobView): string[] => [
  ...[id, state, model === undefined ? spec.name : `${model}@${version}`, spec.model.type, spec.dataset],
  progress ? `${progress.percent.toFixed(0)} %` : '–',
  (progress?.loss ?? metrics?.['train.loss'])?.toPrecision(4) ?? '–',
  createdAt.slice(0, 16).replace('T', ' '),
];
