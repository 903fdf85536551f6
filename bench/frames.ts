/** `npm run fuzz:frames`: a million damaged frames against the decoder. Writes frames.md. `-- --count 10000 --seed 2` */

import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { campaign, type Tally } from './frames/campaign.ts';

const { values: options } = parseArgs({
  options: { count: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const [count, seed] = [Number(options.count), Number(options.seed)];
const began = performance.now();
const rssBefore = process.memoryUsage().rss;
const { truncated, mutated, wrongModel } = campaign({ count, seed });
const seconds = (performance.now() - began) / 1000;

const number = (value: number): string => value.toLocaleString('en');
function row(title: string, { frames, outcomes, slowestMilliseconds, hungriest }: Tally): string {
  const told = Object.entries(outcomes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([outcome, times]) => `${outcome} ${number(times)}`);
  return `| ${title} | ${number(frames)} | ${told.join(', ')} | ${slowestMilliseconds.toFixed(1)} | ${hungriest.toFixed(0)} |`;
}

const text = `# Damaged frames

Written by \`npm run fuzz:frames -- --count ${count} --seed ${seed}\`: ${Math.round(seconds)} s on ${os.cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.versions.node};
the process grew by ${Math.round((process.memoryUsage().rss - rssBefore) / 2 ** 20)} MiB. Kinds are compact, batch, standard and progressive, codes have 16 and 64 units, frames 1 to 30 rows.
Any other outcome than symbols or a refusal with a code ends the campaign with an error.

| | frames | outcomes | slowest, ms | most memory, bytes a byte of frame |
| --- | ---: | --- | ---: | ---: |
${row('cut after each byte', truncated)}
${row('one to four mutations', mutated)}
${row('whole, given to another model whose id is made equal', wrongModel)}

\`same\`: decoded to what was sent. \`prefix\`: a progressive frame whose later parts are gone, as it is meant to be. \`other symbols\`:
the checksum was passed by chance, as one damaged compact or batch frame of 65,536 does.
`;
console.log(text);
writeFileSync(path.join(import.meta.dirname, 'frames.md'), text);
