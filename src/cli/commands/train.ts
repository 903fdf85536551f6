/** `hourglass train`: a job from a file, from stdin, from a recipe, or from options. */

import type { JobRequest } from '../../sdk/index.ts';
import { type Call, type Command, count, exitCodes, text } from '../command.ts';
import { follow } from '../follow.ts';
import { UsageError } from '../usage-error.ts';

type Json = Record<string, unknown>;

export const trainCommand: Command = {
  name: 'train',
  summary: 'Submits a training job.',
  usage: [
    'JOB.json [--follow]',
    '--dataset NAME --type TYPE [--name NAME] [--code N] [--epochs N] [--set model.hidden=128,64] [--follow]',
  ],
  options: {
    follow: { type: 'boolean', short: 'f', help: 'watch it to its end; Ctrl-C stops watching, not the job' },
    check: { type: 'boolean', help: 'a dry run: says what would be queued or why it is refused' },
    dataset: { type: 'string', value: 'NAME', help: 'data set to train on' },
    type: { type: 'string', value: 'TYPE', help: 'type of the model, such as denoising' },
    name: { type: 'string', value: 'NAME', help: 'name of the model; default DATASET-TYPE' },
    code: { type: 'string', value: 'N', help: 'numbers of a code' },
    epochs: { type: 'string', value: 'N', help: 'epochs to train' },
    set: { type: 'string', value: 'PATH=VALUE', help: 'one more member, such as training.optimizer.type=sgd' },
    job: { type: 'string', value: 'NAME', help: 'which job of a recipe; default main' },
  },
  examples: [
    'hourglass train --dataset mnist --type denoising --code 32 --follow',
    'hourglass train recipes/dense.json --follow',
    `echo '{"name":"x","dataset":"mnist","model":{"type":"dense"}}' | hourglass train -`,
    'hourglass train job.json --check --json',
  ],

  async run(call) {
    const { client, terminal, values, signal } = call;
    const job = (await jobOf(call)) as unknown as JobRequest;
    if (values.check === true) {
      const check = await client.jobs.check(job, { signal });
      terminal.json(check);
      terminal.line(JSON.stringify(check.spec, null, 2));
      for (const warning of check.warnings) terminal.note(`warning: ${warning}`);
      return exitCodes.done;
    }
    const queued = await client.jobs.submit(job, { signal });
    for (const warning of queued.warnings) terminal.note(`warning: ${warning}`);
    if (values.follow === true) return follow(call, queued.id);
    terminal.json(queued);
    terminal.line(queued.id);
    return exitCodes.done;
  },
};

async function jobOf(call: Call): Promise<Json> {
  const [file] = call.words;
  const base = file === undefined ? {} : fromFile(call, file, (await call.terminal.read(file)).toString());
  const dataset = text(call, 'dataset') ?? (base.dataset as string | undefined);
  const type = text(call, 'type');
  if (file === undefined && (dataset === undefined || type === undefined)) {
    throw new UsageError('Name a file with a job, or --dataset and --type.');
  }
  const code = count(call, 'code');
  const epochs = count(call, 'epochs');
  const name = text(call, 'name') ?? base.name ?? `${dataset}-${type}`;
  const job: Json = {
    ...base,
    ...{ name, dataset },
    model: {
      ...(base.model as Json | undefined),
      ...(type !== undefined && { type }),
      ...(code !== undefined && { code }),
    },
    ...((base.training !== undefined || epochs !== undefined) && {
      training: { ...(base.training as Json | undefined), ...(epochs !== undefined && { epochs }) },
    }),
  };
  const setting = text(call, 'set');
  return setting === undefined ? job : withMember(job, setting);
}

/** A job as it is, or one job of a recipe. */
function fromFile(call: Call, file: string, content: string): Json {
  let parsed: Json;
  try {
    parsed = JSON.parse(content) as Json;
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (typeof parsed !== 'object' || parsed === null) throw new UsageError(`${file} is not a job: a job is an object.`);
  const jobs = parsed.jobs as Record<string, Json> | undefined;
  if (jobs === undefined) return parsed;
  const name = text(call, 'job') ?? (jobs.main ? 'main' : (Object.keys(jobs)[0] ?? ''));
  const job = jobs[name];
  if (!job) throw new UsageError(`${file} has no job "${name}"; it has ${Object.keys(jobs).join(', ')}.`);
  return job;
}

/** `model.hidden=128,64` */
function withMember(job: Json, setting: string): Json {
  const at = setting.indexOf('=');
  if (at < 1) throw new UsageError(`--set takes PATH=VALUE; "${setting}" has no "=".`);
  const path = setting.slice(0, at).split('.');
  const put = (object: Json, [first = '', ...rest]: readonly string[]): Json => ({
    ...object,
    [first]: rest.length === 0 ? valueOfText(setting.slice(at + 1)) : put((object[first] ?? {}) as Json, rest),
  });
  return put(job, path);
}

function valueOfText(value: string): unknown {
  if (/^-?\d+(\.\d+)?(,-?\d+(\.\d+)?)+$/.test(value)) return value.split(',').map(Number);
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
