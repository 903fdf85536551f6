/** The result of the training benchmark as Markdown. */

import type { NetName } from './nets.ts';

export interface Row {
  readonly net: NetName;
  readonly threads: number;
  readonly contender: string;
  readonly ours: boolean;
  /** milliseconds per step of each round */
  readonly samples: readonly number[];
  readonly stepsPerRound: number;
}

export interface Result {
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
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
};

function table(rows: readonly Row[]): string[] {
  const ordered = [...rows].sort((a, b) => median(a.samples) - median(b.samples));
  const rivals = ordered.filter((row) => !row.ours);
  const best = rivals[0] ? median(rivals[0].samples) : undefined;
  return [
    '| | ms per step | min – max | rounds × steps | to the best of PyTorch, JAX, Keras |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...ordered.map((row) => {
      const middle = median(row.samples);
      const name = row.ours ? `**${row.contender}**` : row.contender;
      const range = `${show(Math.min(...row.samples))} – ${show(Math.max(...row.samples))}`;
      const ratio = best === undefined ? '' : `${(middle / best).toFixed(2)}×`;
      return `| ${name} | ${show(middle)} | ${range} | ${row.samples.length} × ${row.stepsPerRound} | ${ratio} |`;
    }),
  ];
}

export function markdown({ machine, versions, rows, notes }: Result): string {
  const lines = [
    '# Milliseconds per training step',
    '',
    'Written by `npm run bench:train`; raw samples in train.json. Batch 128, float32, binary cross-entropy, Adam. All start',
    'from the same parameters and see the same data; their losses after three steps agree to 0.1 %. Each runs in a process',
    'of its own, pinned to as many processors as it has threads. Rounds are interleaved: medians of them.',
    '',
    ...Object.entries(machine).map(([key, value]) => `- ${key}: ${value}`),
    ...Object.entries(versions).map(([key, value]) => `- ${key}: ${value}`),
    ...notes.map((note) => `- ${note}`),
  ];
  for (const threads of [...new Set(rows.map((row) => row.threads))]) {
    for (const net of [...new Set(rows.map((row) => row.net))]) {
      const chosen = rows.filter((row) => row.net === net && row.threads === threads);
      if (chosen.length === 0) continue;
      lines.push('', `## ${titles[net]}, ${threads} thread${threads > 1 ? 's' : ''}`, '', ...table(chosen));
    }
  }
  return `${lines.join('\n')}\n`;
}
