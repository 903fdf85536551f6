/** The result of the training benchmark as Markdown. */

import type { Processor } from '../processor.ts';
import { type NetName, netNames } from './nets.ts';

export interface Row {
  readonly net: NetName;
  readonly threads: number;
  readonly contender: string;
  readonly ours: boolean;
  /** milliseconds per step of each round */
  readonly samples: readonly number[];
  /** milliseconds of processor per step of each round, all threads together: other load shows up less in it; absent: not noted */
  readonly processor?: readonly number[];
  readonly stepsPerRound: number;
  /** steps that were taken before the first round; null: not noted */
  readonly stepsBefore: number | null;
  /** the day, and the load of the machine */
  readonly measured: string;
}

/** What was measured on one processor. */
export interface Result {
  readonly processor: Processor;
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

/** What a chapter is about: Node 20 makes the fused passes on one thread, later ones on all. */
const title = ({ processor, system }: Result): string =>
  `${processor.name}, ${/Node \d+/.exec(system)?.[0] ?? 'another runtime'}`;

/** Results with those of a new run: of its processor and Node, the nets and numbers of threads that it measured are replaced. */
export function withResult(results: readonly Result[], fresh: Result): Result[] {
  const earlier = results.find((result) => title(result) === title(fresh));
  const again = ({ net, threads }: Row) => fresh.rows.some((row) => row.net === net && row.threads === threads);
  const merged: Result = {
    ...fresh,
    versions: { ...earlier?.versions, ...fresh.versions },
    rows: [...(earlier?.rows.filter((row) => !again(row)) ?? []), ...fresh.rows].sort(
      (a, b) => a.threads - b.threads || netNames.indexOf(a.net) - netNames.indexOf(b.net),
    ),
    notes: [...new Set([...(earlier?.notes ?? []), ...fresh.notes])],
  };
  return earlier ? results.map((result) => (result === earlier ? merged : result)) : [...results, merged];
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};

const show = (ms: number): string => (ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0));

const titles: Record<NetName, string> = {
  mlp: 'MLP 784-128-32-128-784',
  deep: 'Deep 784-1000-500-250-30-250-500-1000-784',
  conv: 'Convolutional 16-8-8-16-1, 3×3, on 28×28',
  photo:
    "Photographs' codec, 16 crops of 128×128: 8×8 squares to 192 numbers, 192-32-32-192 3×3, 16×16 overlapping squares",
};

function table(rows: readonly Row[]): string[] {
  const ordered = [...rows].sort((a, b) => median(a.samples) - median(b.samples));
  const rivals = ordered.filter((row) => !row.ours);
  const best = rivals[0] ? median(rivals[0].samples) : undefined;
  return [
    '| | ms per step | min – max | processor ms | rounds × steps | after steps | to the best of PyTorch, JAX, Keras |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...ordered.map((row) => {
      const middle = median(row.samples);
      const name = row.ours ? `**${row.contender}**` : row.contender;
      const range = `${show(Math.min(...row.samples))} – ${show(Math.max(...row.samples))}`;
      const ratio = best === undefined ? '' : `${(middle / best).toFixed(2)}×`;
      const rounds = `${row.samples.length} × ${row.stepsPerRound}`;
      const processor = row.processor ? show(median(row.processor)) : '';
      return `| ${name} | ${show(middle)} | ${range} | ${processor} | ${rounds} | ${row.stepsBefore?.toLocaleString('en') ?? ''} | ${ratio} |`;
    }),
  ];
}

const head = `# Milliseconds per training step

Written by \`npm run bench:train\`, one chapter for each processor and Node; a run replaces what it measures again of its own. Raw samples
in train.json. Batch 128, float32, binary cross-entropy (the photographs' codec: batch 16, squared error), Adam. All start from the same parameters and see the same data; their losses
after three steps agree to 0.1 %. Rounds begin after the steps in the column "after steps", by which units have died and moments have
decayed. "Processor ms" is the time of all threads of a contender together, in which other load of the machine shows up less. Each contender runs in a process of its own, pinned to as many processors as it has threads. Rounds are interleaved: medians
of them.
`;

function chapter(result: Result): string[] {
  const { processor, system, versions, rows, notes } = result;
  const lines = [
    `## ${title(result)}`,
    '',
    ...(processor.flags.length > 0 ? [`- Flags: ${processor.flags.join(' ')}`] : []),
    `- System: ${system}`,
    ...Object.entries(versions).map(([key, value]) => `- ${key}: ${value}`),
    ...notes.map((note) => `- ${note}`),
  ];
  for (const threads of [...new Set(rows.map((row) => row.threads))]) {
    for (const net of [...new Set(rows.map((row) => row.net))]) {
      const chosen = rows.filter((row) => row.net === net && row.threads === threads);
      if (chosen.length === 0) continue;
      lines.push('', `### ${titles[net]}, ${threads} thread${threads > 1 ? 's' : ''}`, '');
      lines.push(`Measured ${[...new Set(chosen.map((row) => row.measured))].join('; ')}.`, '', ...table(chosen));
    }
  }
  return lines;
}

export const markdown = (results: readonly Result[]): string =>
  `${[head, ...results.map((result) => `${chapter(result).join('\n')}\n`)].join('\n')}`;
