/**
 * Finds kinds of rows that are worth tables of their own: each row goes to the cluster that codes it in fewest bits, then the
 * tables are counted anew, in turn.
 *
 *   rows ─► cheapest cluster ─► counts + a share of all rows' table ─► bits of each symbol ─► cheapest cluster …
 *
 * Hard expectation–maximisation of a mixture of factorised distributions (naive Bayes clusters; Celeux & Govaert 1992).
 */

import { type FrequencyTable, fitTable } from './frequency-table.ts';
import type { Clusters, Quality } from './profile.ts';

/** Rows that a cluster is held to be worth of all rows' table: keeps small clusters from believing in what they saw. */
const priorRows = 8;
const rounds = 12;
const refinements = 2;
/** Rows from which the next seed is taken: the farthest of all would be an outlier. */
const candidates = 32;

export interface ClusterOptions {
  /** with tables of all rows */
  readonly quality: Quality;
  /** [rows, units] */
  readonly symbols: Int32Array;
  /** clusters wanted */
  readonly count: number;
  /** the cluster of each row to begin with, such as that at another quality; default: by rows that are far apart */
  readonly members?: Uint16Array | undefined;
}

export interface FittedClusters {
  readonly clusters: Clusters;
  /** the cluster of each row */
  readonly members: Uint16Array;
}

export function fitClusters({ quality, symbols, count, members: first }: ClusterOptions): FittedClusters {
  let members = first ?? nearestSeeds(symbols, quality.units.length, count);
  let clusters = tablesFor(quality, symbols, members, count);
  for (let round = 0; round < (first ? refinements : rounds); round++) {
    const next = assign(quality, clusters, symbols);
    if (next.every((cluster, row) => cluster === members[row])) break;
    members = next;
    clusters = tablesFor(quality, symbols, members, count);
  }
  return { clusters, members };
}

/** Each row to the nearest of `count` rows, each the farthest from those before it among some (Arthur & Vassilvitskii 2007). */
function nearestSeeds(symbols: Int32Array, width: number, count: number): Uint16Array {
  const rows = symbols.length / width;
  const distances = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  const members = new Uint16Array(rows);
  // neighbouring rows may be alike: a hash of numbers has no pattern
  const anyRow = (number: number): number => (Math.imul(number + 1, 0x9e3779b1) >>> 8) % rows;
  for (let cluster = 0; cluster < count; cluster++) {
    let seed = anyRow(cluster * candidates);
    for (let i = 1; i < candidates; i++) {
      const candidate = anyRow(cluster * candidates + i);
      if ((distances[candidate] as number) > (distances[seed] as number)) seed = candidate;
    }
    for (let row = 0; row < rows; row++) {
      const distance = distanceOf(symbols, row * width, seed * width, width);
      if (distance >= (distances[row] as number)) continue;
      distances[row] = distance;
      members[row] = cluster;
    }
  }
  return members;
}

function distanceOf(symbols: Int32Array, a: number, b: number, width: number): number {
  let sum = 0;
  for (let j = 0; j < width; j++) sum += Math.abs((symbols[a + j] as number) - (symbols[b + j] as number));
  return sum;
}

/** The cheapest cluster of each row. */
function assign({ units }: Quality, clusters: Clusters, symbols: Int32Array): Uint16Array<ArrayBuffer> {
  const width = units.length;
  const active = units.flatMap(({ table }, j) => (table.constant ? [] : [j]));
  const members = new Uint16Array(symbols.length / width);
  for (let row = 0; row < members.length; row++) {
    let least = Number.POSITIVE_INFINITY;
    for (const [cluster, tables] of clusters.units.entries()) {
      let bits = clusters.table.bits(cluster);
      for (const j of active) bits += (tables[j] as FrequencyTable).bits(symbols[row * width + j] as number);
      if (bits >= least) continue;
      least = bits;
      members[row] = cluster;
    }
  }
  return members;
}

function tablesFor({ units }: Quality, symbols: Int32Array, members: Uint16Array, count: number): Clusters {
  const width = units.length;
  const sizes = new Float64Array(count).fill(1);
  const counts = Array.from({ length: count }, () =>
    units.map(({ table }) => new Float64Array(table.frequencies.length)),
  );
  for (const [row, cluster] of members.entries()) {
    sizes[cluster] = (sizes[cluster] as number) + 1;
    for (const [j, { table }] of units.entries()) {
      const own = counts[cluster]?.[j] as Float64Array;
      const last = own.length - 1;
      const index = (symbols[row * width + j] as number) - table.min;
      const slot = index >= 0 && index < last ? index : last;
      own[slot] = (own[slot] as number) + 1;
    }
  }
  return {
    table: fitTable(0, Array.from(sizes), 0),
    units: counts.map((own) =>
      units.map(({ table }, j) => {
        if (table.constant) return table;
        const total = table.frequencies.reduce((a, b) => a + b, 0);
        const weights = table.frequencies.map((f, slot) => (own[j]?.[slot] as number) + (priorRows * f) / total);
        return fitTable(table.min, weights.slice(0, -1), weights.at(-1) as number);
      }),
    ),
  };
}
