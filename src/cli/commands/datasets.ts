/** `hourglass datasets`: list, show, add and remove. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { DatasetInfo } from '../../sdk/index.ts';
import { type Call, type Command, exitCodes, text, word } from '../command.ts';
import { archiveOf } from '../folder.ts';
import { send } from '../send.ts';
import { UsageError } from '../usage-error.ts';

const actions = ['ls', 'show', 'add', 'rm'] as const;

export const datasetsCommand: Command = {
  name: 'datasets',
  summary: 'Lists, shows, uploads and removes data sets.',
  usage: ['[ls]', 'show NAME', 'add FILE|FOLDER [--name NAME] [--resize WxH] [--options JSON]', 'rm NAME'],
  actions,
  options: {
    name: { type: 'string', value: 'NAME', help: 'of the new data set; default the name of the file or folder' },
    resize: { type: 'string', value: 'WxH', help: 'pictures: width and height to bring them to, such as 32x32' },
    options: { type: 'string', value: 'JSON', help: 'how to read it, such as {"labelColumn":"species"}' },
  },
  examples: [
    'hourglass datasets add holiday-pictures --resize 32x32',
    'hourglass datasets add pictures.zip',
    'cat table.csv | hourglass datasets add - --name table',
  ],

  async run(call) {
    const { client, terminal, words, signal } = call;
    const action = words[0] ?? 'ls';
    switch (action as (typeof actions)[number]) {
      case 'ls': {
        const datasets = await client.datasets.list({ signal });
        terminal.json({ datasets });
        terminal.table(['NAME', 'ROW', 'TRAINING ROWS', 'TEST ROWS', 'CLASSES', 'ORIGIN'], datasets.map(row));
        return exitCodes.done;
      }
      case 'show': {
        const info = await client.datasets.get(word(call, 1, 'The name of the data set'), { signal });
        terminal.json(info);
        terminal.line(JSON.stringify(info, null, 2));
        return exitCodes.done;
      }
      case 'add':
        return add(call, word(call, 1, 'The file'));
      case 'rm': {
        const name = word(call, 1, 'The name of the data set');
        await client.datasets.delete(name, { signal });
        terminal.json({ deleted: name });
        terminal.line(`${name} is deleted`);
        return exitCodes.done;
      }
      default:
        throw new UsageError(`There is no action "${action}"; there are ${actions.join(', ')}.`);
    }
  },
};

const row = ({ name, shape, rows, classes, builtIn, createdAt = '' }: DatasetInfo): string[] => [
  ...[name, shape.join('×'), String(rows.train), String(rows.test), String(classes ?? '–')],
  builtIn ? 'built in' : createdAt.slice(0, 16).replace('T', ' '),
];

async function add(call: Call, file: string): Promise<number> {
  const { terminal } = call;
  const filename = file === '-' ? undefined : path.basename(path.resolve(file));
  const name = text(call, 'name') ?? (filename && nameOf(filename));
  if (name === undefined) throw new UsageError('--name is missing: what comes from stdin has no name.');
  const found = file === '-' ? undefined : await statOf(file);
  const folder = found?.isDirectory() ? await archiveOf(file) : undefined;
  if (folder) terminal.note(`${folder.pictures} pictures`);
  const size = folder?.bytes ?? found?.size;
  const options = optionsOf(text(call, 'options'), text(call, 'resize'));
  const sentName = folder ? `${name}.tar` : filename;
  const query = new URLSearchParams({ name, ...(sentName && { filename: sentName }), ...(options && { options }) });
  let sent = 0;
  const counted = async function* () {
    for await (const piece of (folder?.archive ?? terminal.stream(file)) as AsyncIterable<Buffer>) {
      sent += piece.length;
      const share = size === undefined ? undefined : Math.min(1, sent / Math.max(1, size));
      if (share !== undefined) terminal.bar(share, `${Math.round(100 * share)} % sent`);
      yield piece;
    }
    terminal.endBar();
  };
  const answer = await send(call, `/v1/datasets?${query}`, Readable.from(counted(), { objectMode: false }), {
    'content-type': 'application/octet-stream',
  });
  const info = (await answer.json()) as DatasetInfo;
  for (const warning of info.warnings) terminal.note(`warning: ${warning}`);
  terminal.json(info);
  terminal.line(
    `${info.name}: ${info.rows.train} training rows, ${info.rows.test} test rows of ${info.shape.join('×')}`,
  );
  return exitCodes.done;
}

/** A name that the server takes, from that of a file. */
const nameOf = (filename: string): string =>
  filename
    .replace(/(\.(tar|csv|npy|idx|zip|tgz|gz|txt))+$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-');

function optionsOf(json: string | undefined, resize: string | undefined): string | undefined {
  if (resize === undefined) return json;
  const [, width, height] = /^(\d+)x(\d+)$/.exec(resize) ?? [];
  if (!width || !height) throw new UsageError(`--resize takes width and height such as 32x32, not ${resize}.`);
  const given = json === undefined ? {} : (JSON.parse(json) as object);
  return JSON.stringify({ ...given, resize: { width: Number(width), height: Number(height) } });
}

async function statOf(file: string) {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() || found?.isDirectory()) return found;
  throw new UsageError(`${file} is not a file or folder that can be read.`);
}
